import { createHash, randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createStatementWriter } from '../../../core/statement-format/index.ts';
import type { Result } from '../../../core/reasons.ts';
import {
  CreateExportRequest,
  ExportFormat,
  ExportStatus,
  GenerateStatementRequest,
  StatementStatus,
  type CreateExportResponse,
  type DownloadExportResponse,
  type Export,
  type GenerateStatementResponse,
  type GetExportResponse,
  type ListExportsResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database.ts';
import { headOf } from '../../../tests/support/statement-model.ts';
import type { UserPrincipal } from '../../platform/access.ts';
import type { VerifiedKey } from '../../platform/api-keys.ts';
import {
  contextOf,
  createStatementWorld,
  reasonOf,
  startMs,
  userOf,
  valueOf,
  type StatementWorld,
} from '../test-support.ts';

let database: TestDatabase;
let world: StatementWorld;
let statement: Awaited<ReturnType<StatementWorld['start']>>;
let ana: UserPrincipal;

beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  statement = await world.start();
  ana = world.know(userOf());
});

afterEach(async () => {
  await statement.stop();
  await database.drop();
});

function call<T>(method: string, request: object, principal: UserPrincipal): Promise<Result<T>> {
  const handler = statement.service.handlers[method]!;
  return handler(request as never, contextOf(principal)) as Promise<Result<T>>;
}

const dayMs = 86_400_000;
const order = (change: Partial<CreateExportRequest> = {}): CreateExportRequest =>
  CreateExportRequest.fromPartial({
    from: new Date(startMs),
    to: new Date(startMs + 365 * dayMs),
    timezone: 'America/Sao_Paulo',
    ...change,
  });
const create = (principal: UserPrincipal, change: Partial<CreateExportRequest> = {}) =>
  call<CreateExportResponse>('createExport', order(change), principal);
const made = async (principal: UserPrincipal, change: Partial<CreateExportRequest> = {}) =>
  valueOf(await create(principal, change)).export!;
const get = (id: string, principal: UserPrincipal) =>
  call<GetExportResponse>('getExport', { exportId: id }, principal);

async function ended(id: string, principal: UserPrincipal): Promise<Export> {
  return vi.waitFor(
    async () => {
      const found = valueOf(await get(id, principal)).export!;
      expect([ExportStatus.DONE, ExportStatus.FAILED]).toContain(found.status);
      return found;
    },
    { timeout: 30_000, interval: 30 },
  );
}

async function download(id: string, principal: UserPrincipal, offset = 0n): Promise<Buffer> {
  type Pieces = AsyncIterable<DownloadExportResponse>;
  const pieces = valueOf(await call<Pieces>('downloadExport', { exportId: id, offset }, principal));
  const parts: Uint8Array[] = [];
  for await (const { data } of pieces) {
    expect(data.length).toBeLessThanOrEqual(64 * 1024);
    parts.push(data);
  }
  return Buffer.concat(parts);
}

describe('an export', () => {
  it.each([
    [ExportFormat.CSV, 'csv'],
    [ExportFormat.JSON, 'json'],
    [ExportFormat.NDJSON, 'ndjson'],
    [ExportFormat.HLEDGER, 'hledger'],
  ] as const)(
    'of format %s is what the writer makes of its lines, whole and from any byte',
    async (wire, format) => {
      const { model } = await world.fill(ana.userId, 3_000);
      const { id } = await made(ana, { format: wire, to: new Date(startMs + 365 * dayMs) });
      const file = await ended(id, ana);
      expect(file).toMatchObject({ status: ExportStatus.DONE, rows: 3_000n, rowsDone: 3_000n });
      const head = headOf('BRL', model, 0, 'America/Sao_Paulo');
      const range = { fromMs: startMs, toMs: startMs + 365 * dayMs, walletId: file.walletId };
      const options = { locale: 'en', hasByteOrderMark: false } as const;
      const writer = createStatementWriter(format, { ...head, ...range }, options);
      const expected = Buffer.from(
        writer.begin() + model.map((line) => writer.line(line)).join('') + writer.end(),
      );
      const bytes = await download(id, ana);
      expect(bytes.equals(expected)).toBe(true);
      expect(file.bytes).toBe(BigInt(bytes.length));
      expect(file.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
      for (const offset of [
        1,
        64 * 1024,
        256 * 1024 - 1,
        256 * 1024,
        bytes.length - 1,
        bytes.length,
      ]) {
        const at = Math.min(offset, bytes.length);
        expect((await download(id, ana, BigInt(at))).equals(bytes.subarray(at))).toBe(true);
      }
      const past = { exportId: id, offset: BigInt(bytes.length + 1) };
      expect(reasonOf(await call('downloadExport', past, ana))).toBe('INVALID_ARGUMENT');
    },
  );

  it('of a closed past is the same whenever it is made, and takes its range only', async () => {
    await world.fill(ana.userId, 500);
    const to = new Date(startMs + 5 * dayMs);
    const first = await ended((await made(ana, { to })).id, ana);
    await world.fill(ana.userId, 700);
    const second = await ended((await made(ana, { to })).id, ana);
    expect(second.id).not.toBe(first.id);
    expect(second.sha256).toBe(first.sha256);
    expect(first.rows).toBeGreaterThan(50n);
    expect(first.rows).toBeLessThan(500n);
  });

  it('of a wallet that was never opened has a header and no rows', async () => {
    const { id } = await made(ana);
    expect(await ended(id, ana)).toMatchObject({ status: ExportStatus.DONE, rows: 0n });
    expect((await download(id, ana)).toString()).toMatch(/^date,[a-z_,]+\r\n$/);
  });

  it('tells of itself: requested, and ready', async () => {
    const { id } = await made(ana);
    await ended(id, ana);
    await vi.waitFor(() => expect(world.published).toHaveLength(2));
    expect(world.published.map(({ routingKey, body }) => [routingKey, body])).toEqual([
      ['statement.requested', { pattern: 'statement_requested', data: { exportId: id } }],
      [
        'statement.ready',
        { pattern: 'statement_ready', data: { exportId: id, userId: ana.userId, status: 'done' } },
      ],
    ]);
  });

  it('is the same for the same key, and another key or content is told apart', async () => {
    const first = valueOf(await create(ana, { idempotencyKey: 'year' }));
    const again = valueOf(await create(ana, { idempotencyKey: 'year' }));
    expect([first.replayed, again.replayed]).toEqual([false, true]);
    expect(again.export?.id).toBe(first.export?.id);
    expect(reasonOf(await create(ana, { idempotencyKey: 'year', locale: 'pt-BR' }))).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
    const bia = world.know(userOf());
    expect((await made(bia, { idempotencyKey: 'year' })).id).not.toBe(first.export?.id);
    const twins = await Promise.all(
      Array.from({ length: 20 }, () => made(ana, { idempotencyKey: 'burst' })),
    );
    expect(new Set(twins.map(({ id }) => id)).size).toBe(1);
  });

  it('stays open for at most 20 of a requester at once, at any rate', async () => {
    world.state.isAuthAway = true;
    const answers = await Promise.all(Array.from({ length: 40 }, () => create(ana)));
    expect(answers.map(reasonOf).sort()).toEqual([
      ...Array.from({ length: 20 }, () => 'OVERLOADED'),
      ...Array.from({ length: 20 }, () => 'ok'),
    ]);
  });

  it('of a dry run leaves nothing', async () => {
    const answer = await made(ana, { dryRun: true });
    expect(answer.status).toBe(ExportStatus.QUEUED);
    expect(reasonOf(await get(answer.id, ana))).toBe('EXPORT_NOT_FOUND');
  });

  it.each([
    ['INVALID_ARGUMENT', { locale: 'fr' }],
    ['INVALID_ARGUMENT', { format: 9 as ExportFormat }],
    ['INVALID_ARGUMENT', { format: ExportFormat.JSON, byteOrderMark: true }],
    ['INVALID_ARGUMENT', { idempotencyKey: 'x'.repeat(256) }],
    ['INVALID_ARGUMENT', { email: true }],
    ['INVALID_ARGUMENT', { from: new Date(startMs + 400 * dayMs) }],
    ['INVALID_ARGUMENT', { timezone: 'Mars/Olympus' }],
    ['CURRENCY_UNKNOWN', { currency: 'XXX' }],
    ['RANGE_TOO_LONG', { from: new Date(startMs - 4_000 * dayMs) }],
    ['USER_NOT_FOUND', { userId: randomUUID() }],
  ] as const)('is refused with %s for %o', async (reason, change) => {
    expect(reasonOf(await create(ana, change))).toBe(reason);
  });
});

describe('who may see an export', () => {
  const asked = { reason: '' };
  const seenBy = async (id: string, principal: UserPrincipal) => {
    asked.reason = reasonOf(await get(id, principal));
    const stream = await call('downloadExport', { exportId: id, offset: 0n }, principal);
    expect(reasonOf(stream)).toBe(asked.reason);
    const listed = valueOf(
      await call<ListExportsResponse>(
        'listExports',
        {
          userId: '',
          pageSize: 0,
          pageToken: '',
        },
        principal,
      ),
    );
    const isListed = listed.exports.some((found) => found.id === id);
    expect(isListed).toBe(asked.reason === 'ok');
    return asked.reason;
  };

  it('its wallet’s owner and staff may; others are answered as if there were none', async () => {
    const operator = world.know(userOf('operator'));
    const { id } = await made(operator, { userId: ana.userId });
    await ended(id, ana);
    const bia = world.know(userOf());
    expect(await seenBy(id, ana)).toBe('ok');
    expect(await seenBy(id, userOf('admin'))).toBe('ok');
    expect(await seenBy(id, bia)).toBe('EXPORT_NOT_FOUND');
    const foreign = await get(id, bia);
    const absent = await get(randomUUID(), bia);
    const messageOf = (r: Result<unknown>) =>
      r.ok ? '' : r.rejection.message.replace(/[0-9a-f-]{36}/, '');
    expect(messageOf(foreign)).toBe(messageOf(absent));
    // Who asked for it and is no longer staff has lost it.
    expect(await seenBy(id, { ...operator, role: 'customer' })).toBe('EXPORT_NOT_FOUND');
  });

  it('an API key for one wallet reaches that wallet’s only', async () => {
    const brl = await ended((await made(ana)).id, ana);
    const jpy = await ended((await made(ana, { currency: 'JPY' })).id, ana);
    const apiKey: VerifiedKey = {
      keyId: randomUUID(),
      userId: ana.userId,
      role: 'customer',
      scopes: ['statements:read'],
      walletId: brl.walletId,
      operations: [],
      expiresAtMs: 0,
      asOfMs: 0,
    };
    const key: UserPrincipal = { ...ana, apiKey };
    expect(await seenBy(brl.id, key)).toBe('ok');
    expect(await seenBy(jpy.id, key)).toBe('EXPORT_NOT_FOUND');
    expect(reasonOf(await create(key, { currency: 'JPY' }))).toBe('PERMISSION_DENIED');
  });

  it('what staff do with another’s is in the audit log', async () => {
    const operator = world.know(userOf('operator'));
    const { id } = await made(operator, { userId: ana.userId });
    await ended(id, ana);
    await get(id, operator);
    await download(id, operator);
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

  it('lists are paged, newest first', async () => {
    const ids = [];
    for (let i = 0; i < 5; i += 1) ids.push((await made(ana)).id);
    await made(world.know(userOf()));
    const found: string[] = [];
    for (let pageToken = '', i = 0; i === 0 || pageToken !== ''; i += 1) {
      const page: ListExportsResponse = valueOf(
        await call('listExports', { userId: '', pageSize: 2, pageToken }, ana),
      );
      found.push(...page.exports.map(({ id }) => id));
      pageToken = page.nextPageToken;
    }
    expect(found.toSorted()).toEqual(ids.toSorted());
  });
});

describe('GenerateStatement', () => {
  const ask = (from: string, to: string, timezone: string, principal = ana) =>
    call<GenerateStatementResponse>(
      'generateStatement',
      GenerateStatementRequest.fromPartial({ from: new Date(from), to: new Date(to), timezone }),
      principal,
    );

  it.each([
    ['UTC', '2026-01-01T00:00:00Z', '2026-01-16T00:00:00Z', '2026-01-17T00:00:00Z'],
    // Both cross a change of the clock: 15 days and an hour, and 15 days less an hour.
    ['America/New_York', '2025-10-25T04:00:00Z', '2025-11-09T05:00:00Z', '2025-11-10T05:00:00Z'],
    ['America/New_York', '2026-03-01T05:00:00Z', '2026-03-16T04:00:00Z', '2026-03-17T04:00:00Z'],
  ])('in %s answers 15 days at once and queues 16', async (timezone, from, inline, queued) => {
    expect(valueOf(await ask(from, inline, timezone)).status).toBe(StatementStatus.COMPLETE);
    const answer = valueOf(await ask(from, queued, timezone));
    expect(answer).toMatchObject({ status: StatementStatus.QUEUED, statement: undefined });
    expect(answer.export).toMatchObject({ format: ExportFormat.CSV, userId: ana.userId, timezone });
    expect((await ended(answer.export!.id, ana)).status).toBe(ExportStatus.DONE);
  });

  it('asked again gives the export that it has made, as long as that still answers', async () => {
    const [from, to] = ['2026-01-01T00:00:00Z', '2026-03-01T00:00:00Z'];
    const exportOf = async () => valueOf(await ask(from, to, 'UTC')).export!;
    const first = await exportOf();
    await ended(first.id, ana);
    expect(await exportOf()).toMatchObject({ id: first.id, status: ExportStatus.DONE });
    await database.query(`UPDATE exports SET status = 'expired' WHERE id = $1`, [first.id]);
    expect((await exportOf()).id).not.toBe(first.id);
  });

  it('of some operations only is not queued', async () => {
    const request = GenerateStatementRequest.fromPartial({
      from: new Date(startMs),
      to: new Date(startMs + 40 * dayMs),
      operations: [1],
    });
    expect(reasonOf(await call('generateStatement', request, ana))).toBe('RANGE_TOO_LONG');
  });
});
