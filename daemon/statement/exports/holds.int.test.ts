import { afterEach, beforeEach, expect, it } from 'vitest';

import { createStatementWriter } from '../../../core/statement-format/index.ts';
import {
  ExportFormat,
  ExportStatus,
  GenerateStatementRequest,
  type GenerateStatementResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { headOf, makeHoldLines } from '../../../tests/support/ledger/statement-model.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import {
  createStatementWorld,
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

const range = { fromMs: startMs, toMs: startMs + 365 * dayMs };
const from = new Date(range.fromMs);
const to = new Date(range.toMs);
const formats = [
  [ExportFormat.CSV, 'csv'],
  [ExportFormat.JSON, 'json'],
  [ExportFormat.NDJSON, 'ndjson'],
  [ExportFormat.HLEDGER, 'hledger'],
] as const;

/** More lines than are read at a time. */
const count = 2_500;
const fill = async () => (await world.fill(ana.userId, count, { make: makeHoldLines })).model;

it.each(formats)(
  'an export of format %s without holds leaves out holds only',
  async (wire, name) => {
    const model = await fill();
    const moving = model.filter(({ amountMinor }) => amountMinor !== 0n);
    const { id } = await calls.made(ana, { format: wire, to });
    const file = await calls.ended(id, ana);
    const rows = BigInt(moving.length);
    expect(file).toMatchObject({ status: ExportStatus.DONE, rows, rowsDone: rows });
    expect(file.includeHolds).toBeUndefined();
    const head = { ...headOf('BRL', model, 0, 'America/Sao_Paulo'), ...range };
    const options = { locale: 'en', hasByteOrderMark: false } as const;
    const writer = createStatementWriter(name, { ...head, walletId: file.walletId }, options);
    const expected = writer.begin() + moving.map((l) => writer.line(l)).join('') + writer.end();
    expect((await calls.download(id, ana)).toString()).toBe(expected);
  },
);

it.each(formats.slice(0, 3))(
  'an export of format %s with holds has all lines',
  async (wire, name) => {
    const model = await fill();
    const asked = { format: wire, to, includeHolds: true, locale: 'pt-BR' };
    const { id } = await calls.made(ana, asked);
    const file = await calls.ended(id, ana);
    const rows = BigInt(count);
    expect(file).toMatchObject({ status: ExportStatus.DONE, rows, rowsDone: rows });
    expect(file.includeHolds).toBe(true);
    const heldClosingMinor = model.reduce((sum, { heldMinor = 0n }) => sum + heldMinor, 0n);
    const head = { ...headOf('BRL', model, 0, 'America/Sao_Paulo'), ...range, heldClosingMinor };
    const options = { locale: 'pt-BR', hasByteOrderMark: false } as const;
    const writer = createStatementWriter(name, { ...head, walletId: file.walletId }, options);
    const expected = writer.begin() + model.map((l) => writer.line(l)).join('') + writer.end();
    expect((await calls.download(id, ana)).toString()).toBe(expected);
  },
);

it('a journal with holds is refused', async () => {
  const asked = { format: ExportFormat.HLEDGER, includeHolds: true };
  expect(await calls.create(ana, asked)).toMatchObject({
    rejection: { reason: 'INVALID_ARGUMENT', metadata: { field: 'include_holds' } },
  });
});

it('a key names an export with holds or one without, and a long statement is of its kind', async () => {
  await fill();
  const key = { idempotencyKey: 'year' };
  await calls.made(ana, { ...key, includeHolds: true });
  expect(await calls.create(ana, key)).toMatchObject({
    rejection: { reason: 'IDEMPOTENCY_KEY_REUSED' },
  });
  const queue = async (includeHolds: boolean | undefined) => {
    const request = GenerateStatementRequest.fromPartial({ from, to, includeHolds });
    const answer = await calls.call<GenerateStatementResponse>('generateStatement', request, ana);
    const { status, export: made } = valueOf(answer);
    expect(made?.includeHolds ?? false).toBe(includeHolds ?? false);
    return { status, id: made?.id };
  };
  const [plain, shown, again] = [await queue(undefined), await queue(true), await queue(true)];
  expect(shown.id).not.toBe(plain.id);
  expect(again).toEqual(shown);
});

it('an export whose hold was edited has no file, whether or not holds are shown', async () => {
  await fill();
  await database.query(
    `UPDATE statement_lines SET held = held + 1 WHERE seq =
       (SELECT min(seq) FROM statement_lines WHERE amount = 0 AND seq > 1200)`,
  );
  for (const includeHolds of [true, false]) {
    const { id } = await calls.made(ana, { to, includeHolds });
    expect((await calls.ended(id, ana)).status).toBe(ExportStatus.INCONSISTENT);
  }
});
