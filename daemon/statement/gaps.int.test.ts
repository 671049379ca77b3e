import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { walletIdOf } from '../../core/ids.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database.ts';
import { makeLines } from '../../tests/support/statement-model.ts';
import type { Line } from './domain.ts';
import { createGaps, type Gaps } from './gaps.ts';
import { insertLines } from './store.ts';
import { startMs, toLines } from './test-support.ts';
import { createTails, type Tails } from './witness/tails.ts';

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
  gaps.note(tails.note(come));
}

const reason = async (): Promise<string | undefined> => (await gaps.findOldest())?.reason;
const rebuild = (id: string = walletId): string => `walletd statements rebuild --wallet ${id}`;

it('names all lines of a gap, until the last of them has come', async () => {
  await store(lines, 1, 2, 7);
  expect(await reason()).toBe(`lines 3 to 6 of wallet ${walletId} are missing: ${rebuild()}`);
  await store(lines, 6);
  expect(await reason()).toBe(`3 of lines 3 to 6 of wallet ${walletId} are missing: ${rebuild()}`);
  await store(lines, 3, 4);
  expect(await reason()).toBe(`1 of lines 5 to 6 of wallet ${walletId} are missing: ${rebuild()}`);
  await store(lines, 5);
  expect(await gaps.findOldest()).toBeUndefined();
});

it('counts what comes as progress with the same gap', async () => {
  await store(lines, 1, 10);
  const before = await gaps.findOldest();
  await store(lines, 5);
  const after = await gaps.findOldest();
  expect(after?.key).toBe(before?.key);
  expect(after?.level).toBeGreaterThan(before?.level ?? 0);
});

it('finds the begin of a gap that was there before the process started', async () => {
  await store(lines, 1, 2, 3);
  restart();
  await store(lines, 9);
  expect(await reason()).toBe(`lines 4 to 8 of wallet ${walletId} are missing: ${rebuild()}`);
  await store(lines, 8);
  expect(await reason()).toMatch(/^4 of lines 4 to 8 /);
});

it('finds nothing missing where a wallet is met in its middle', async () => {
  await store(lines, 1, 2, 3);
  restart();
  await store(lines, 4);
  expect(await gaps.findOldest()).toBeUndefined();
});

it('names the oldest gap, and how many more there are', async () => {
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

it('gives the link to a line whose predecessor came later, until it is taken', async () => {
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
