import { expect, it } from 'vitest';

import type { CheckedRow } from './check.ts';
import { createKeyMaker } from './keys.ts';

const row = (fields: Partial<CheckedRow> = {}): CheckedRow => ({
  ...{ row: 1, operation: 'deposit', amountMinor: 100n, currency: 'BRL', user: undefined },
  ...{ parentId: undefined, description: undefined, merchant: undefined, key: undefined },
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
  const rows = [row(), row({ amountMinor: 5n }), row(), row({ description: 'x' })];
  const before = keysOf(rows);
  const after = keysOf([row({ description: 'x' }), row({ amountMinor: 6n }), row(), row()]);
  const kept = after.filter((key) => before.includes(key));
  expect(kept.length).toBe(3);
  expect(before).not.toContain(after[1]);
});

it('each field that defines a row is part of its idempotency key, its position is not', () => {
  const variants: CheckedRow[] = [
    row(),
    row({ operation: 'withdraw' }),
    row({ amountMinor: 101n }),
    row({ amountMinor: undefined }),
    row({ currency: 'EUR' }),
    row({ parentId: 'p' }),
    row({ description: 'd' }),
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
  const rows = [row(), row(), row({ description: 'say "é"', merchant: '\\' })];
  const undo = row({ operation: 'reversal', amountMinor: undefined, currency: '', parentId: 'p' });
  expect(keysOf([...rows, undo])).toEqual([
    '92b18703-bc42-5c5d-aa9c-1bc1e220ca46',
    'db704359-8993-5afd-be74-dec838e465e4',
    'f19efdd7-44c3-5979-9c90-cf488d20de30',
    '052d50b3-8907-5424-bb70-19e7edb9471c',
  ]);
});
