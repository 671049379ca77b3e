import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { makeLines } from '../../../tests/support/ledger/statement-model.ts';
import type { Consumer } from '../../platform/broker/broker.ts';
import { createLog } from '../../platform/log.ts';
import type { Line } from '../domain.ts';
import { createGaps, type Gaps } from './gaps.ts';
import { checkLinks, createProjection } from './projection.ts';
import { insertLines } from '../store.ts';
import { startMs, toLines, toMessage } from '../test-support.ts';
import { listOpenLinks } from '../witness/lines.ts';
import { createRecorder } from '../witness/record.ts';
import { createTails, type Tails } from '../witness/tails.ts';

let test: TestDatabase;
let gaps: Gaps;
let tails: Tails;
let walletId: string;
let lines: readonly Line[];

beforeEach(async () => {
  test = await createTestDatabase('statement');
  restart();
  const userId = randomUUID();
  walletId = walletIdOf(userId, 'BRL');
  lines = linesOf(userId);
});

afterEach(() => test.drop());

function restart(): void {
  gaps = createGaps(test.db);
  tails = createTails();
}

const linesOf = (userId: string): readonly Line[] =>
  toLines(userId, 'BRL', makeLines(1, 20, startMs));

/** Lines come, as the projection stores them. */
async function store(from: readonly Line[], ...seqs: number[]): Promise<void> {
  const come = from.filter(({ seq }) => seqs.includes(Number(seq)));
  expect(come).toHaveLength(seqs.length);
  await test.db.tx((tx) => insertLines(tx, come));
  const { alone } = await checkLinks(test.db, listOpenLinks(come, tails));
  gaps.note(tails.note(come), alone);
}

const reason = async (): Promise<string | undefined> => (await gaps.findOldest())?.reason;
const rebuild = (id: string = walletId): string => `walletd statements rebuild --wallet ${id}`;

it('a gap is reported with its missing lines until the last of them has come', async () => {
  await store(lines, 1, 2, 7);
  expect(await reason()).toBe(`lines 3 to 6 of wallet ${walletId} are missing: ${rebuild()}`);
  await store(lines, 6);
  expect(await reason()).toBe(`3 of lines 3 to 6 of wallet ${walletId} are missing: ${rebuild()}`);
  await store(lines, 3, 4);
  expect(await reason()).toBe(`1 of lines 5 to 6 of wallet ${walletId} are missing: ${rebuild()}`);
  await store(lines, 5);
  expect(await gaps.findOldest()).toBeUndefined();
});

it('a line that comes within a gap counts as progress of the same gap', async () => {
  await store(lines, 1, 10);
  const before = await gaps.findOldest();
  await store(lines, 5);
  const after = await gaps.findOldest();
  expect(after?.key).toBe(before?.key);
  expect(after?.level).toBeGreaterThan(before?.level ?? 0);
});

it('the start of a gap is found in lines from before the process started', async () => {
  await store(lines, 1, 2, 3);
  restart();
  await store(lines, 9);
  expect(await reason()).toBe(`lines 4 to 8 of wallet ${walletId} are missing: ${rebuild()}`);
  await store(lines, 8);
  expect(await reason()).toMatch(/^4 of lines 4 to 8 /);
});

it('a wallet whose earlier lines are stored has no gap after a restart', async () => {
  await store(lines, 1, 2, 3);
  restart();
  await store(lines, 4);
  expect(await gaps.findOldest()).toBeUndefined();
});

it('the oldest gap is reported, with the number of further gaps', async () => {
  const other = linesOf(randomUUID());
  await store(other, 1, 3);
  await store(lines, 1, 4, 9);
  const otherId = other[0]?.walletId ?? '';
  expect(await reason()).toBe(
    `line 2 of wallet ${otherId} is missing (and 2 more gaps): ${rebuild(otherId)}`,
  );
  await store(other, 2);
  expect(await reason()).toMatch(/^lines 2 to 3 of wallet .* are missing \(and 1 more gap\): /);
});

it('the link to a line whose predecessor came later is passed on until accepted', async () => {
  const links: unknown[] = [];
  let isAway = true;
  gaps = createGaps(test.db, (closed) => {
    links.push(...closed);
    return isAway ? Promise.reject(new Error('away')) : Promise.resolve();
  });
  await store(lines, 1, 4);
  await gaps.findOldest();
  expect(links).toEqual([]);
  // Of another daemon.
  await test.db.tx((tx) => insertLines(tx, lines.slice(1, 3)));
  await expect(gaps.findOldest()).rejects.toThrow('away');
  isAway = false;
  expect(await gaps.findOldest()).toBeUndefined();
  expect(links).toEqual([
    { walletId, seq: 4n, isEnd: false },
    { walletId, seq: 4n, isEnd: false },
  ]);
  await gaps.findOldest();
  expect(links).toHaveLength(2);
});

describe('gaps after a restart', () => {
  const create = (warned: unknown[]): Consumer => {
    gaps = createGaps(test.db, undefined, () => warned.push('full'));
    const recorder = createRecorder(test.db, createLog('silent'));
    return createProjection(test.db, 'q', recorder, undefined, gaps);
  };
  /** The first lines of so many wallets. */
  const makeWallets = (count: number, lineCount: number): Line[][] =>
    Array.from({ length: count }, () => {
      const userId = randomUUID();
      return toLines(userId, 'BRL', makeLines(1, lineCount, startMs));
    });
  const handle = async (projection: Consumer, come: readonly Line[]): Promise<void> => {
    for (let i = 0; i < come.length; i += 2_000) {
      await projection.handle(come.slice(i, i + 2_000).map(toMessage));
    }
  };

  it('a restart makes no gap of the first lines of wallets, and keeps the real ones', async () => {
    const wallets = makeWallets(6_000, 2);
    const warned: unknown[] = [];
    await handle(
      create(warned),
      wallets.map(([first]) => first!),
    );
    const projection = create(warned);
    await handle(
      projection,
      wallets.map(([, second]) => second!),
    );
    await projection.handle([toMessage(lines[3]!)]);
    // As many looks as it takes to see all that could be watched.
    for (let i = 0; i < 15; i += 1) await gaps.findOldest();
    expect(await reason()).toBe(`lines 1 to 3 of wallet ${walletId} are missing: ${rebuild()}`);
    expect(warned).toEqual([]);
  });

  it('after a restart, a gap that is filled from its start is not reported', async () => {
    const warned: unknown[] = [];
    await create(warned).handle([lines[0]!, lines[1]!, lines[5]!].map(toMessage));
    const projection = create(warned);
    // Closes the gap in two steps, each of which is before a line that is there.
    await projection.handle([toMessage(lines[2]!), toMessage(lines[3]!)]);
    expect(await gaps.findOldest()).toBeUndefined();
    await projection.handle([toMessage(lines[4]!)]);
    expect(await gaps.findOldest()).toBeUndefined();
  });

  it('more gaps than can be watched are reported once', async () => {
    const warned: unknown[] = [];
    const thirds = makeWallets(5_100, 3).map(([, , third]) => third!);
    const projection = create(warned);
    await handle(projection, thirds.slice(0, 5_000));
    expect(warned).toEqual([]);
    await handle(projection, thirds.slice(5_000, 5_050));
    await handle(projection, thirds.slice(5_050));
    expect(warned).toEqual(['full']);
    expect(await reason()).toMatch(/^lines 1 to 2 of wallet .* are missing/);
  });
});
