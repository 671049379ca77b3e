import { expect, it } from 'vitest';

import type { CheckedRow } from './check.ts';
import { createKeyMaker, createOwnKeys, isShortenedNumber } from './keys.ts';

const row = (fields: Partial<CheckedRow> = {}): CheckedRow => ({
  ...{ row: 1, operation: 'deposit', amountMinor: 100n, currency: 'BRL', user: undefined },
  ...{ parentId: undefined, description: undefined, merchant: undefined, key: undefined },
  ...{ to: undefined, via: undefined, reference: undefined, metadata: {} },
  ...{ expiresInSeconds: undefined, expiresAt: undefined, keepsRest: false },
  text: { operation: 'deposit', amount: '1.00', currency: 'BRL', user: '' },
  ...fields,
});

const keysOf = (rows: readonly CheckedRow[], batchId = 'batch', userId = 'ana'): string[] => {
  const keys = createKeyMaker(batchId);
  return rows.map((one) => keys.keyOf(one, userId, one.to));
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
    row({ to: 'd' }),
    row({ via: 'd' }),
    row({ to: 'v', via: 'd' }),
    row({ keepsRest: true }),
    row({ via: 'd', keepsRest: true }),
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
    all.add(keys.keyOf(row({ amountMinor: BigInt(i % 7_000) }), 'a', undefined));
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

it('rows without the newer columns keep the idempotency keys that they had before these', () => {
  const parentId = '7c4f9d7e-8f1c-5a49-8c53-3c2b6f8f7a10';
  const rows = [
    row(),
    row(),
    row({ operation: 'withdraw', amountMinor: 1n, currency: 'JPY' }),
    row({ operation: 'purchase', merchant: 'Caf\u00e9 "Sol"' }),
    row({ operation: 'reversal', amountMinor: 40n, parentId }),
    row({ operation: 'reversal', amountMinor: undefined, currency: '', parentId }),
    row({ operation: 'cancellation', amountMinor: 40n, currency: 'USD', parentId }),
  ];
  const more = { reference: 'NF-7', metadata: { order: '1042' }, description: 'May' };
  const frozen = [
    'c15585b8-4d6f-5d5e-a10c-36ac9e1cfd82',
    '0c427527-93af-530e-b2b9-7b3935a1731d',
    '754c4e55-0347-5ff7-a274-d7ca5834b050',
    'a6118309-e4e9-5b0b-aa88-696c4d39ab2a',
    'b1cb16e1-efcd-5a13-b18d-45abef23fd5f',
    '64b85c38-ed02-5b0d-a779-36f4832c6b5e',
    'c825551f-04d2-546f-90da-664002175a71',
  ];
  const userId = '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10';
  expect(keysOf(rows, 'payroll "\u00e9"', userId)).toEqual(frozen);
  const described = rows.map((one) => ({ ...one, ...more }));
  expect(keysOf(described, 'payroll "\u00e9"', userId)).toEqual(frozen);
});

it('the idempotency keys of transfers and of banks stay the same in all releases', () => {
  const to = '1b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a11';
  const rows = [row({ operation: 'transfer', to }), row({ via: 'itau' })];
  expect(keysOf(rows)).toEqual([
    '5aa348e3-99e5-5414-98f9-4ae35d745530',
    'd1c6bc6d-f519-5957-ae47-618e4fb930e8',
  ]);
});

it('the idempotency keys of holds, captures and releases stay the same in all releases', () => {
  const hold = { parentId: '7c4f9d7e-8f1c-5a49-8c53-3c2b6f8f7a10' };
  const capture = row({ operation: 'capture', ...hold });
  const rows = [
    row({ operation: 'hold', merchant: 'Hotel Sol' }),
    row({ operation: 'hold', to: '1b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a11' }),
    capture,
    { ...capture, keepsRest: true },
    row({ operation: 'release', amountMinor: undefined, currency: '', ...hold }),
  ];
  expect(keysOf(rows)).toEqual([
    'c3f33727-a7b4-57c0-aeed-906069c27eab',
    '23e803a3-96de-5271-91df-bd02e2cfba4a',
    'd507ae5c-04b0-5c6f-bc3b-d7e52e660117',
    'a5fede64-cf50-5248-b824-5f1dd9b9efb5',
    'c96d3926-1d78-5bed-a5b8-e3d9979a9377',
  ]);
  const ends = { expiresInSeconds: 60, expiresAt: new Date(0) };
  expect(keysOf(rows.map((one) => ({ ...one, ...ends })))).toEqual(keysOf(rows));
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
