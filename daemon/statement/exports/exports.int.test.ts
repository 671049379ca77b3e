import { createHash, randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createStatementWriter } from '../../../core/statement-format/index.ts';
import {
  ExportFormat,
  ExportStatus,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { headOf } from '../../../tests/support/ledger/statement-model.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
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

describe('an export', () => {
  it.each([
    [ExportFormat.CSV, 'csv'],
    [ExportFormat.JSON, 'json'],
    [ExportFormat.NDJSON, 'ndjson'],
    [ExportFormat.HLEDGER, 'hledger'],
  ] as const)(
    'an export of format %s is what the writer makes of its lines, whole and from any byte',
    async (wire, format) => {
      const { model } = await world.fill(ana.userId, 3_000);
      const { id } = await calls.made(ana, { format: wire, to: new Date(startMs + 365 * dayMs) });
      const file = await calls.ended(id, ana);
      expect(file).toMatchObject({ status: ExportStatus.DONE, rows: 3_000n, rowsDone: 3_000n });
      const head = headOf('BRL', model, 0, 'America/Sao_Paulo');
      const range = { fromMs: startMs, toMs: startMs + 365 * dayMs, walletId: file.walletId };
      const options = { locale: 'en', hasByteOrderMark: false } as const;
      const writer = createStatementWriter(format, { ...head, ...range }, options);
      const expected = Buffer.from(
        writer.begin() + model.map((line) => writer.line(line)).join('') + writer.end(),
      );
      const bytes = await calls.download(id, ana);
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
        expect((await calls.download(id, ana, BigInt(at))).equals(bytes.subarray(at))).toBe(true);
      }
      const past = { exportId: id, offset: BigInt(bytes.length + 1) };
      expect(reasonOf(await calls.call('downloadExport', past, ana))).toBe('INVALID_ARGUMENT');
    },
  );

  it('an export of a closed past is the same at any time, and has only its range', async () => {
    await world.fill(ana.userId, 500);
    const to = new Date(startMs + 5 * dayMs);
    const first = await calls.ended((await calls.made(ana, { to })).id, ana);
    await world.fill(ana.userId, 700);
    const second = await calls.ended((await calls.made(ana, { to })).id, ana);
    expect(second.id).not.toBe(first.id);
    expect(second.sha256).toBe(first.sha256);
    expect(first.rows).toBeGreaterThan(50n);
    expect(first.rows).toBeLessThan(500n);
  });

  it('an export of a wallet that was never opened has a header and no rows', async () => {
    const { id } = await calls.made(ana);
    expect(await calls.ended(id, ana)).toMatchObject({ status: ExportStatus.DONE, rows: 0n });
    expect((await calls.download(id, ana)).toString()).toMatch(/^date,[a-z_,]+\r\n$/);
  });

  it('an export emits an event when it is requested and when it is ready', async () => {
    const { id } = await calls.made(ana);
    await calls.ended(id, ana);
    await vi.waitFor(() => expect(world.published).toHaveLength(2), { timeout: 20_000 });
    expect(world.published.map(({ routingKey, body }) => [routingKey, body])).toEqual([
      ['statement.requested', { pattern: 'statement_requested', data: { exportId: id } }],
      [
        'statement.ready',
        { pattern: 'statement_ready', data: { exportId: id, userId: ana.userId, status: 'done' } },
      ],
    ]);
  });

  it('an idempotency key names one export of a requester; other content is refused', async () => {
    const first = valueOf(await calls.create(ana, { idempotencyKey: 'year' }));
    const again = valueOf(await calls.create(ana, { idempotencyKey: 'year' }));
    expect([first.replayed, again.replayed]).toEqual([false, true]);
    expect(again.export?.id).toBe(first.export?.id);
    expect(reasonOf(await calls.create(ana, { idempotencyKey: 'year', locale: 'pt-BR' }))).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
    const bia = world.know(userOf());
    expect((await calls.made(bia, { idempotencyKey: 'year' })).id).not.toBe(first.export?.id);
    const twins = await Promise.all(
      Array.from({ length: 20 }, () => calls.made(ana, { idempotencyKey: 'burst' })),
    );
    expect(new Set(twins.map(({ id }) => id)).size).toBe(1);
  });

  it('a requester has at most 20 unfinished exports, also when auth is unavailable', async () => {
    world.state.isAuthAway = true;
    const answers = await Promise.all(Array.from({ length: 40 }, () => calls.create(ana)));
    expect(answers.map(reasonOf).sort()).toEqual([
      ...Array.from({ length: 20 }, () => 'OVERLOADED'),
      ...Array.from({ length: 20 }, () => 'ok'),
    ]);
  });

  it('a dry run of an export stores no export', async () => {
    const answer = await calls.made(ana, { dryRun: true });
    expect(answer.status).toBe(ExportStatus.QUEUED);
    expect(reasonOf(await calls.get(answer.id, ana))).toBe('EXPORT_NOT_FOUND');
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
  ] as const)('an export is refused with %s for %o', async (reason, change) => {
    expect(reasonOf(await calls.create(ana, change))).toBe(reason);
  });
});
