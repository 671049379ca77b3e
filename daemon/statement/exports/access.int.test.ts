import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Result } from '../../../core/reasons.ts';
import {
  ExportFormat,
  ExportStatus,
  GenerateStatementRequest,
  StatementStatus,
  type GenerateStatementResponse,
  type ListExportsResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import type { VerifiedKey } from '../../platform/access/api-keys.ts';
import {
  createStatementWorld,
  reasonOf,
  startMs,
  userOf,
  valueOf,
  type StatementWorld,
} from '../test-support.ts';
import { callsOf, dayMs } from './test-support.ts';

let database: TestDatabase;
let world: StatementWorld;
let statement: Awaited<ReturnType<StatementWorld['start']>>;
let ana: UserPrincipal;
let calls: ReturnType<typeof callsOf>;

beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  statement = await world.start();
  calls = callsOf(statement);
  ana = world.know(userOf());
});

afterEach(async () => {
  await statement.stop();
  await database.drop();
});

describe('access to exports', () => {
  const asked = { reason: '' };
  const seenBy = async (id: string, principal: UserPrincipal) => {
    asked.reason = reasonOf(await calls.get(id, principal));
    const stream = await calls.call('downloadExport', { exportId: id, offset: 0n }, principal);
    expect(reasonOf(stream)).toBe(asked.reason);
    for (const idPrefix of ['', id.slice(0, 8), id.slice(0, 14), id]) {
      const request = { userId: '', pageSize: 0, pageToken: '', idPrefix };
      const listed = valueOf(
        await calls.call<ListExportsResponse>('listExports', request, principal),
      );
      const isListed = listed.exports.some((found) => found.id === id);
      expect(isListed).toBe(asked.reason === 'ok');
    }
    return asked.reason;
  };

  it('an export is visible to its wallet’s owner and to staff, and absent for others', async () => {
    const operator = world.know(userOf('operator'));
    const { id } = await calls.made(operator, { userId: ana.userId });
    await calls.ended(id, ana);
    const bia = world.know(userOf());
    expect(await seenBy(id, ana)).toBe('ok');
    expect(await seenBy(id, userOf('admin'))).toBe('ok');
    expect(await seenBy(id, bia)).toBe('EXPORT_NOT_FOUND');
    const foreign = await calls.get(id, bia);
    const absent = await calls.get(randomUUID(), bia);
    const messageOf = (r: Result<unknown>) =>
      r.ok ? '' : r.rejection.message.replace(/[0-9a-f-]{36}/, '');
    expect(messageOf(foreign)).toBe(messageOf(absent));
    // Who asked for it and is no longer staff has lost it.
    expect(await seenBy(id, { ...operator, role: 'customer' })).toBe('EXPORT_NOT_FOUND');
  });

  it('an API key for one wallet reaches the exports of that wallet only', async () => {
    const brl = await calls.ended((await calls.made(ana)).id, ana);
    const jpy = await calls.ended((await calls.made(ana, { currency: 'JPY' })).id, ana);
    const apiKey: VerifiedKey = {
      keyId: randomUUID(),
      userId: ana.userId,
      role: 'customer',
      scopes: ['statements:read'],
      walletId: brl.walletId,
      operations: [],
      expiresAtMs: 0,
      hasOwnerTotp: false,
    };
    const key: UserPrincipal = { ...ana, apiKey };
    expect(await seenBy(brl.id, key)).toBe('ok');
    expect(await seenBy(jpy.id, key)).toBe('EXPORT_NOT_FOUND');
    expect(reasonOf(await calls.create(key, { currency: 'JPY' }))).toBe('PERMISSION_DENIED');
  });

  it('what staff do with another user’s export is recorded in the audit log', async () => {
    const operator = world.know(userOf('operator'));
    const { id } = await calls.made(operator, { userId: ana.userId });
    await calls.ended(id, ana);
    await calls.get(id, operator);
    await calls.download(id, operator);
    const rows = await database.query<{ action: string; target: string }>(
      'SELECT action, target FROM audit_log WHERE actor = $1 ORDER BY occurred_at',
      [operator.userId],
    );
    expect(rows).toEqual([
      { action: 'export.create', target: id },
      { action: 'export.get', target: id },
      { action: 'export.download', target: id },
    ]);
    const own = await database.query('SELECT 1 FROM audit_log WHERE actor = $1', [ana.userId]);
    expect(own).toEqual([]);
  });

  it('a user’s exports are listed in pages, newest first, without those of other users', async () => {
    const ids = [];
    for (let i = 0; i < 5; i += 1) ids.push((await calls.made(ana)).id);
    await calls.made(world.know(userOf()));
    const found: string[] = [];
    for (let pageToken = '', i = 0; i === 0 || pageToken !== ''; i += 1) {
      const page: ListExportsResponse = valueOf(
        await calls.call('listExports', { userId: '', pageSize: 2, pageToken, idPrefix: '' }, ana),
      );
      found.push(...page.exports.map(({ id }) => id));
      pageToken = page.nextPageToken;
    }
    expect(found).toEqual(ids.toReversed());
  });
});

describe('exports by the beginning of their id', () => {
  const find = (idPrefix: string) =>
    calls.call<ListExportsResponse>(
      'listExports',
      { userId: '', pageSize: 0, pageToken: '', idPrefix },
      ana,
    );

  it('a list by id_prefix has only the exports whose id begins with it', async () => {
    const ids = [(await calls.made(ana)).id, (await calls.made(ana)).id];
    const found = valueOf(await find(ids[1]?.slice(0, 13) ?? ''));
    expect(found.exports.map(({ id }) => id)).toEqual([ids[1]]);
    expect(valueOf(await find('00000000')).exports).toEqual([]);
  });

  it.each(['7b0c1f5', '7B0C1F52', '7b0c1f52x', '7b0c1f526a', '%7b0c1f5'])(
    'id_prefix %j is refused',
    async (idPrefix) => {
      const found = await find(idPrefix);
      expect(found).toMatchObject({ ok: false, rejection: { metadata: { field: 'id_prefix' } } });
    },
  );
});

describe('GenerateStatement', () => {
  const ask = (from: string, to: string, timezone: string, principal = ana) =>
    calls.call<GenerateStatementResponse>(
      'generateStatement',
      GenerateStatementRequest.fromPartial({ from: new Date(from), to: new Date(to), timezone }),
      principal,
    );

  it.each([
    ['UTC', '2026-01-01T00:00:00Z', '2026-01-16T00:00:00Z', '2026-01-17T00:00:00Z'],
    // Both cross a change of the clock: 15 days and an hour, and 15 days less an hour.
    ['America/New_York', '2025-10-25T04:00:00Z', '2025-11-09T05:00:00Z', '2025-11-10T05:00:00Z'],
    ['America/New_York', '2026-03-01T05:00:00Z', '2026-03-16T04:00:00Z', '2026-03-17T04:00:00Z'],
  ])('GenerateStatement in %s queues more than 15 days', async (timezone, from, inline, queued) => {
    expect(valueOf(await ask(from, inline, timezone)).status).toBe(StatementStatus.COMPLETE);
    const answer = valueOf(await ask(from, queued, timezone));
    expect(answer).toMatchObject({ status: StatementStatus.QUEUED, statement: undefined });
    expect(answer.export).toMatchObject({ format: ExportFormat.CSV, userId: ana.userId, timezone });
    expect((await calls.ended(answer.export!.id, ana)).status).toBe(ExportStatus.DONE);
  });

  it('GenerateStatement repeated gives the same export until that has expired', async () => {
    const [from, to] = ['2026-01-01T00:00:00Z', '2026-03-01T00:00:00Z'];
    const exportOf = async () => valueOf(await ask(from, to, 'UTC')).export!;
    const first = await exportOf();
    await calls.ended(first.id, ana);
    expect(await exportOf()).toMatchObject({ id: first.id, status: ExportStatus.DONE });
    await database.query(`UPDATE exports SET status = 'expired' WHERE id = $1`, [first.id]);
    expect((await exportOf()).id).not.toBe(first.id);
  });

  it('a long statement of some operations is refused with RANGE_TOO_LONG, not queued', async () => {
    const request = GenerateStatementRequest.fromPartial({
      from: new Date(startMs),
      to: new Date(startMs + 40 * dayMs),
      operations: [1],
    });
    expect(reasonOf(await calls.call('generateStatement', request, ana))).toBe('RANGE_TOO_LONG');
  });
});
