import { expect, it } from 'vitest';

import type { CheckedRow } from './check.ts';
import { createKeyMaker, createOwnKeys, isShortenedNumber } from './keys.ts';

const row = (fields: Partial<CheckedRow> = {}): CheckedRow => ({
  ...{ row: 1, operation: 'deposit', amountMinor: 100n, currency: 'BRL', user: undefined },
  ...{ parentId: undefined, description: undefined, merchant: undefined, key: undefined },
  text: { operation: 'deposit', amount: '1.00', currency: 'BRL', user: '' },
  ...fields,
});

const keysOf = (rows: readonly CheckedRow[], batchId = 'batch', userId = 'ana'): string[] => {
  const keys = createKeyMaker(batchId);
  return rows.map((one) => keys.keyOf(one, userId));
};

it('a row with an idempotency key of its own keeps it', () => {
  expect(keysOf([row({ key: 'mine' }), row({ key: 'mine' })])).toEqual(['mine', 'mine']);
});

it('a batch has the same idempotency keys each time, distinct ones for equal rows', () => {
  const rows = [row(), row(), row({ amountMinor: 200n }), row()];
  const keys = keysOf(rows);
  expect(new Set(keys).size).toBe(4);
  expect(keysOf(rows)).toEqual(keys);
});

it('a corrected row gets a new idempotency key, and other rows keep theirs in any order', () => {
  const rows = [row(), row({ amountMinor: 5n }), row(), row({ currency: 'EUR' })];
  const before = keysOf(rows);
  const after = keysOf([row({ currency: 'EUR' }), row({ amountMinor: 6n }), row(), row()]);
  const kept = after.filter((key) => before.includes(key));
  expect(kept.length).toBe(3);
  expect(before).not.toContain(after[1]);
});

it('a description is no part of an idempotency key: an edited one pays nothing again', () => {
  const rows = [row({ description: 'May' }), row({ description: 'June' }), row()];
  const edited = [row(), row({ description: 'june' }), row({ description: 'July' })];
  expect(keysOf(edited)).toEqual(keysOf(rows));
  expect(new Set(keysOf(rows)).size).toBe(3);
});

it('each field that defines a row is part of its idempotency key, its position is not', () => {
  const variants: CheckedRow[] = [
    row(),
    row({ operation: 'withdraw' }),
    row({ amountMinor: 101n }),
    row({ amountMinor: undefined }),
    row({ currency: 'EUR' }),
    row({ parentId: 'p' }),
    row({ merchant: 'd' }),
  ];
  const keys = [
    ...variants.flatMap((one) => keysOf([one])),
    ...keysOf([row()], 'another batch'),
    ...keysOf([row()], 'batch', 'bia'),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  // Where it stands, and how its user was written, is not.
  expect(keysOf([row({ row: 9, user: 'ana@example.com' })])).toEqual(keysOf([row()]));
});

it('30,000 rows, with equal ones among them, have distinct idempotency keys', () => {
  const keys = createKeyMaker('batch');
  const all = new Set<string>();
  for (let i = 0; i < 30_000; i += 1)
    all.add(keys.keyOf(row({ amountMinor: BigInt(i % 7_000) }), 'a'));
  expect(all.size).toBe(30_000);
});

it('the idempotency keys of given rows stay the same in all releases', () => {
  const rows = [row(), row(), row({ merchant: 'say "é" \\' })];
  const undo = row({ operation: 'reversal', amountMinor: undefined, currency: '', parentId: 'p' });
  expect(keysOf([...rows, undo])).toEqual([
    '018ba8c0-8b40-55be-a6f7-381726beedf8',
    '8457956a-64b7-50a1-aabd-a1d3b02add58',
    'beef4b83-89d2-5250-8ffc-e02a688577ca',
    '91856fec-de12-5ff6-b278-66f60b86c036',
  ]);
});

it('of rows with the same key of their own, all but the first are found, with its number', () => {
  const keys = createOwnKeys();
  for (let n = 1; n <= 20_000; n += 1) expect(keys.claim(`order-${n}`, n)).toBeUndefined();
  expect(keys.claim('order-7', 20_001)).toBe(7);
  expect(keys.claim('order-19999', 20_002)).toBe(19_999);
});

it.each(['4.711E+15', '4,711E+15', '5e+12'])(
  '%s is a number that a spreadsheet shortened',
  (key) => {
    expect(isShortenedNumber(key)).toBe(true);
  },
);

it.each(['4711000000000000', 'E+15', 'order-1E+15', '4.711E15'])(
  '%s is a key as any other',
  (key) => {
    expect(isShortenedNumber(key)).toBe(false);
  },
);
