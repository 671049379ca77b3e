import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { makeHoldLines, makeLines } from '../../../tests/support/ledger/statement-model.ts';
import type { ReadLedger } from './compare.ts';
import type { Line } from '../domain.ts';
import { rebuild, verify, type Finding } from './rebuild.ts';
import { insertLines } from '../store.ts';
import { beforeAll as start } from './compare.ts';
import { readLinesAfter } from './store.ts';
import { startMs, toLedger, toLines } from '../test-support.ts';
import { toDivergence } from '../witness/lines.ts';
import { recordDivergences } from '../witness/store.ts';

let database: TestDatabase;
let ledger: Line[];

/** Seven wallets, one of them longer than a page, and one with holds. */
beforeEach(async () => {
  database = await createTestDatabase('statement');
  ledger = [1_500, 40, 1, 300, 20, 10, 5]
    .flatMap((count, i) => {
      const make = count === 300 ? makeHoldLines : makeLines;
      return toLines(randomUUID(), 'BRL', withIds(make(i, count, startMs)));
    })
    .sort((a, b) => (a.walletId === b.walletId ? 0 : a.walletId < b.walletId ? -1 : 1));
  for (let i = 0; i < ledger.length; i += 1_000) await insert(ledger.slice(i, i + 1_000));
});
afterEach(() => database.drop());

const withIds = (lines: ReturnType<typeof makeLines>) =>
  lines.map((line) => ({ ...line, transactionId: randomUUID() }));
const insert = (lines: readonly Line[]) => database.db.tx((tx) => insertLines(tx, lines));

/** The ledger as a stream of small messages; `onRead` comes before each. */
const readLedger = (onRead: () => Promise<void> = () => Promise.resolve()): ReadLedger =>
  async function* (walletId, after) {
    for (let place = after; ;) {
      const { walletId: id, seq } = place;
      const part = ledger
        .filter((line) => (line.walletId === id ? line.seq > seq : line.walletId > id))
        .filter((line) => walletId === undefined || line.walletId === walletId)
        .slice(0, 120);
      const last = part.at(-1);
      if (!last) return;
      // Between the read of the ledger and that of the projection.
      await onRead();
      yield toLedger(part);
      place = last;
    }
  };

async function projected(): Promise<Line[]> {
  return database.db.read((tx) => readLinesAfter(tx, start, false, 100_000));
}

const optionsOf = (read: ReadLedger) => ({
  ...{ db: database.db, readLedger: read },
  searchKeys: ['reference'],
});

async function run(walletId?: string, read = readLedger()) {
  const reported = [];
  for await (const progress of rebuild(optionsOf(read), walletId, 'test')) {
    reported.push(progress);
  }
  return reported.at(-1)!;
}

async function find(walletId?: string, read = readLedger()): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const part of verify(optionsOf(read), walletId)) {
    findings.push(...part.findings);
  }
  return findings;
}

/** One fault of each kind, in different wallets and places. */
const faults: readonly (readonly [string, Finding['kind'], (line: Line) => string])[] = [
  ['a line gone', 'line_missing', (l) => `DELETE FROM statement_lines WHERE ${at(l)}`],
  [
    'an amount',
    'line_altered',
    (l) => `UPDATE statement_lines SET amount = amount + 1 WHERE ${at(l)}`,
  ],
  ['a text', 'line_altered', (l) => `UPDATE statement_lines SET description = 'x' WHERE ${at(l)}`],
  [
    'an owner',
    'line_altered',
    (l) => `UPDATE statement_lines SET user_id = '${randomUUID()}' WHERE ${at(l)}`,
  ],
  [
    'a time',
    'line_altered',
    (l) => `UPDATE statement_lines SET occurred_at = 'epoch' WHERE ${at(l)}`,
  ],
];
const at = ({ walletId, seq }: { walletId: string; seq: bigint }) =>
  `wallet_id = '${walletId}' AND seq = ${seq}`;

describe('comparison of projection and ledger', () => {
  it('a rebuild leaves a correct projection as it is', async () => {
    expect(await find()).toEqual([]);
    expect(await run()).toEqual({ wallets: 7, lines: ledger.length, repaired: 0, isDone: true });
  });

  it.each(faults)('a rebuild finds and repairs a fault: %s', async (_what, kind, breakLine) => {
    const broken = [0, 1, 999, ledger.length - 1].map((index) => ledger[index]!);
    for (const line of broken) await database.query(breakLine(line));
    const found = await find();
    expect(found.map((finding) => finding.kind)).toEqual(broken.map(() => kind));
    expect(found.map(({ place }) => place)).toEqual(
      broken.map(({ walletId, seq }) => ({ walletId, seq })),
    );
    expect(await run()).toMatchObject({ repaired: 4, isDone: true });
    expect(await projected()).toEqual(ledger);
    expect(await find()).toEqual([]);
  });

  it('lines of holds are equal to the ledger, and are found and repaired where they are not', async () => {
    const holds = ledger.filter(({ amountMinor }) => amountMinor === 0n);
    expect(holds.length).toBeGreaterThan(50);
    const [gone, held, after] = [holds[3]!, holds[9]!, holds[20]!];
    const capture = ledger.find(({ operation }) => operation === 'capture')!;
    await database.query(`DELETE FROM statement_lines WHERE ${at(gone)}`);
    await database.query(`UPDATE statement_lines SET held = held + 1 WHERE ${at(held)}`);
    await database.query(`UPDATE statement_lines SET held_after = 7 WHERE ${at(after)}`);
    await database.query(`UPDATE statement_lines SET held = NULL WHERE ${at(capture)}`);
    const found = (await find()).map(({ place, kind }) => `${place.seq} ${kind}`);
    expect(found.sort()).toEqual(
      [
        `${gone.seq} line_missing`,
        ...[held, after, capture].map(({ seq }) => `${seq} line_altered`),
      ].sort(),
    );
    expect(await run()).toMatchObject({ repaired: 4, isDone: true });
    expect(await projected()).toEqual(ledger);
  });

  it('a moved line is extra at one seq and missing at another, and is repaired', async () => {
    const { walletId, seq } = ledger[10]!;
    await database.query(`UPDATE statement_lines SET seq = 900000 WHERE ${at({ walletId, seq })}`);
    const kinds = (await find()).map(({ kind }) => kind).sort();
    expect(kinds).toEqual(['line_extra', 'line_missing']);
    expect(await run()).toMatchObject({ repaired: 2 });
    expect(await projected()).toEqual(ledger);
  });

  it('a rebuild deletes lines of wallets that the ledger does not know, however many', async () => {
    for (let i = 0; i < 3; i += 1) {
      await insert(toLines(randomUUID(), 'JPY', makeLines(i, 700, startMs)));
    }
    expect((await find()).map(({ kind }) => kind)).toEqual(Array(2_100).fill('line_extra'));
    expect(await run()).toMatchObject({ repaired: 2_100 });
    expect(await projected()).toEqual(ledger);
  });

  it('a rebuild fills an empty projection, and empties that of an empty ledger', async () => {
    await database.query('TRUNCATE statement_lines');
    expect(await run()).toMatchObject({ repaired: ledger.length });
    expect(await projected()).toEqual(ledger);
    ledger = [];
    await run();
    expect(await projected()).toEqual([]);
  });

  it('a rebuild of one wallet leaves the others as they are', async () => {
    const [first, last] = [ledger[0]!, ledger.at(-1)!];
    await database.query(`UPDATE statement_lines SET amount = 7 WHERE seq = 1`);
    expect(await run(first.walletId)).toMatchObject({ wallets: 1, repaired: 1 });
    const lines = await projected();
    const amountOf = (walletId: string) =>
      lines.find((line) => line.walletId === walletId && line.seq === 1n)!.amountMinor;
    expect(amountOf(first.walletId)).toBe(first.amountMinor);
    expect(amountOf(last.walletId)).toBe(7n);
  });

  it('lines committed and projected during a rebuild are neither missed nor removed', async () => {
    let made = 0;
    const onRead = async (): Promise<void> => {
      if (made === 60) return;
      // A transaction on each wallet in turn, in the ledger first and then in the projection.
      const wallets = [...new Set(ledger.map(({ walletId }) => walletId))];
      const walletId = wallets[made % wallets.length]!;
      made += 1;
      const own = ledger.filter((line) => line.walletId === walletId);
      const last = own.at(-1)!;
      const next = {
        ...last,
        ...{ seq: last.seq + 1n, transactionId: randomUUID(), amountMinor: 1n },
        ...{ balanceAfterMinor: last.balanceAfterMinor + 1n, previousHash: last.hash },
      };
      ledger.splice(ledger.indexOf(last) + 1, 0, next);
      await insert([next]);
    };
    await database.query('DELETE FROM statement_lines WHERE seq % 7 = 3');
    await run(undefined, readLedger(onRead));
    expect(made).toBeGreaterThan(10);
    expect(await projected()).toEqual(ledger);
    made = 0;
    expect(await find(undefined, readLedger(onRead))).toEqual([]);
  });
});

describe('divergences', () => {
  /** Found by a clock that is so far behind. */
  const record = async (seq: bigint, behindMs = 0): Promise<void> => {
    const { walletId, hash } = ledger[0]!;
    const found = toDivergence('own_hash', { walletId, seq, hash });
    await database.db.tx((tx) => recordDivergences(tx, [found]));
    const text = `UPDATE divergences SET found_at = clock_timestamp() - $1 * interval '1 ms'
      WHERE id = $2`;
    await database.query(text, [behindMs, found.id]);
  };
  const openSeqs = async () => {
    const text = 'SELECT seq::int AS seq FROM divergences WHERE resolved_at IS NULL ORDER BY seq';
    return (await database.query<{ seq: number }>(text)).map(({ seq }) => seq);
  };

  it.each([-86_400_000, 0, 86_400_000])(
    'a rebuild resolves only divergences found before it, where the clock is set by %i ms',
    async (aheadMs) => {
      await record(1n, -aheadMs);
      await record(2n);
      let isRecorded = false;
      const onRead = async (): Promise<void> => {
        if (!isRecorded) await record(3n, aheadMs);
        isRecorded = true;
      };
      await run(undefined, readLedger(onRead));
      expect(await openSeqs()).toEqual([3]);
      await run(ledger.at(-1)!.walletId);
      expect(await openSeqs()).toEqual([3]);
      await run(ledger[0]!.walletId);
      expect(await openSeqs()).toEqual([]);
    },
  );

  it('divergences found again during the rebuild that resolved them stay open', async () => {
    await record(1n);
    await run();
    let isRecorded = false;
    const onRead = async (): Promise<void> => {
      if (!isRecorded) await record(1n, 86_400_000);
      isRecorded = true;
    };
    await run(undefined, readLedger(onRead));
    expect(await openSeqs()).toEqual([1]);
  });
});
