import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { succeed } from '../../../core/reasons.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { makeLines } from '../../../tests/support/ledger/statement-model.ts';
import type { Db } from '../../platform/db/db.ts';
import type { ReadLedger } from '../rebuild/compare.ts';
import type { Line } from '../domain.ts';
import { generate } from './generate.ts';
import { createRunningTotals } from './running-totals.ts';
import { insertLines } from '../store.ts';
import type { Reporter } from '../witness/record.ts';
import { startMs, toLedger, toLines } from '../test-support.ts';

const userId = randomUUID();
const wallet = { id: walletIdOf(userId, 'BRL'), userId, currency: 'BRL' };
const range = { fromMs: startMs - 1, toMs: startMs + 400 * 86_400_000, timezone: 'UTC' };
let test: TestDatabase;
let lines: Line[];
/** Of each adding up: how many seqs it went through. */
let added: number[];
let runningTotals: ReturnType<typeof createRunningTotals>;

beforeEach(async () => {
  test = await createTestDatabase('statement');
  lines = toLines(userId, 'BRL', makeLines(7, 3_000, startMs, 60_000));
  added = [];
  runningTotals = createRunningTotals(() => performance.now());
});
afterEach(() => test.drop());

const insert = (from: number, to: number) =>
  test.db.tx((tx) => insertLines(tx, lines.slice(from, to)));

const watched = (): Db => ({
  ...test.db,
  snapshot: (work) =>
    test.db.snapshot((tx) =>
      work({
        ...tx,
        query: (statement, values = []) => {
          if (statement.name === 'line_sums') added.push(Number(values[2]) - Number(values[1]));
          return tx.query<never>(statement, values);
        },
      }),
    ),
});

const headOf = (seq: number) => {
  return { seq: BigInt(seq), hash: lines[seq - 1]?.hash, asOfMs: 0 };
};
const readLedger: ReadLedger = async function* (_walletId, { seq }) {
  await Promise.resolve();
  yield toLedger(lines.slice(Number(seq), Number(seq) + 100));
};
const reporter: Reporter = { report: (_walletId, { text }) => Promise.resolve(text) };
const peersAt = (seq: number) => ({
  readHead: () => Promise.resolve(succeed(headOf(seq))),
  readLedger,
});
const ask = (seq: number, throughSeq?: bigint) => {
  const asked = { peers: peersAt(seq), reporter, head: headOf(seq), throughSeq, runningTotals };
  return generate(watched(), wallet, range, asked);
};
const askAfresh = (seq: number) => {
  const asked = { peers: peersAt(seq), reporter, head: headOf(seq), throughSeq: undefined };
  return generate(test.db, wallet, range, asked);
};

it('a statement adds up only new lines, with the same result as of all lines', async () => {
  await insert(0, 2_000);
  expect(await ask(2_000)).toEqual(await askAfresh(2_000));
  await insert(2_000, 3_000);
  expect(await ask(3_000)).toEqual(await askAfresh(3_000));
  expect(await ask(3_000)).toEqual(await askAfresh(3_000));
  // An earlier end than is known of: from the start.
  expect((await ask(3_000, 2_500n)).extent.lineCount).toBe(2_500n);
  expect(added).toEqual([2_000, 1_000, 0, 2_500]);
});

it('a line missing after the running totals is reported, and counted when it comes', async () => {
  await insert(0, 2_000);
  await ask(2_000);
  await insert(2_001, 3_000);
  const { completeness } = await ask(3_000);
  expect(completeness).toEqual({ isComplete: false, behindBy: 1n });
  await insert(2_000, 2_001);
  expect(await ask(3_000)).toEqual(await askAfresh(3_000));
});

const alter = (seq: number, by: number) =>
  test.query('UPDATE statement_lines SET balance_after = balance_after + $1 WHERE seq = $2', [
    by,
    seq,
  ]);

it('after a repair of lines, a statement adds up all of them again', async () => {
  await insert(0, 2_000);
  await ask(2_000);
  await alter(2_000, 7);
  expect((await ask(2_000)).completeness.isComplete).toBe(false);
  await alter(2_000, -7);
  expect(await ask(2_000)).toEqual(await askAfresh(2_000));
  expect(added).toEqual([2_000, 0, 2_000, 2_000]);
});

it('a statement whose closing line was changed is inconsistent each time', async () => {
  await insert(0, 2_000);
  await ask(2_000);
  await alter(2_000, 1);
  const completeness = {
    ...{ isComplete: false, behindBy: undefined },
    inconsistency: 'line 2000 is not what its hash says',
  };
  for (let i = 0; i < 2; i += 1) expect(await ask(2_000)).toMatchObject({ completeness });
});

it('a ledger head that is older than the lines is read again', async () => {
  await insert(0, 2_000);
  const head = headOf(1_990);
  const asked = { peers: peersAt(2_000), reporter, head, throughSeq: undefined };
  const { completeness } = await generate(test.db, wallet, range, asked);
  expect(completeness).toEqual({ isComplete: true });
});

it.each([
  ['a ledger that ends before the lines', { seq: 1_990 }, 'the ledger ends at seq 1990'],
  ['another transaction at the same seq', { hash: 'ab'.repeat(32) }, 'another transaction'],
])(
  'a statement with %s is inconsistent',
  async (_what, change: { seq?: number; hash?: string }, text) => {
    await insert(0, 2_000);
    const head = { ...headOf(change.seq ?? 2_000), ...(change.hash ? { hash: change.hash } : {}) };
    const peers = { readHead: () => Promise.resolve(succeed(head)), readLedger };
    const asked = { peers, reporter, head, throughSeq: undefined };
    const { completeness } = await generate(test.db, wallet, range, asked);
    expect(completeness).toMatchObject({ isComplete: false });
    expect('inconsistency' in completeness && completeness.inconsistency).toContain(text);
  },
);

it('a statement of a closed past is inconsistent if the ledger forked after it', async () => {
  await insert(0, 2_000);
  // Restored to before line 1,900, and past line 2,000 again, before any event of that came.
  const forked: ReadLedger = async function* (_walletId, { seq }) {
    await Promise.resolve();
    const part = toLedger(lines.slice(Number(seq), Number(seq) + 1));
    yield part.map((one) => ({ ...one, hash: Buffer.alloc(32, 7) }));
  };
  const closed = { ...range, toMs: startMs + 1_000 * 60_000 };
  const peers = { readHead: peersAt(3_000).readHead, readLedger: forked };
  const asked = { peers, reporter, head: headOf(3_000), throughSeq: undefined };
  const { completeness } = await generate(test.db, wallet, closed, asked);
  expect('inconsistency' in completeness && completeness.inconsistency).toContain('seq 2000');
});

it('a statement that misses lines adds up all, even if other calls keep its totals', async () => {
  await insert(0, 2_000);
  await ask(2_000);
  // As if other calls kept reading pages of the complete part.
  const keptAgain = { ...runningTotals, forget: () => undefined };
  const head = headOf(3_000);
  const asked = {
    peers: peersAt(3_000),
    reporter,
    head,
    throughSeq: undefined,
    runningTotals: keptAgain,
  };
  const { completeness } = await generate(watched(), wallet, range, asked);
  expect(completeness).toEqual({ isComplete: false, behindBy: 1_000n });
  expect(added.slice(1, 3)).toEqual([0, 2_000]);
  expect(added.filter((seqs) => seqs === 0)).toHaveLength(1);
});
