import { expect, test } from 'vitest';

import { TransactionItem } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { succeed } from '../../outcome.ts';
import type { Chunk, ItemRow } from './rows/chunk.ts';
import { surveyRows } from './survey.ts';

const text = { operation: 'deposit', amount: '1.00', currency: 'BRL', user: '' };

/** So many chunks of 1,000 rows with a description of that length. */
async function* chunksOf(count: number, length: number) {
  const description = 'd'.repeat(length);
  const item = TransactionItem.fromPartial({ operation: 1, amountMinor: 100n, description });
  const row: ItemRow = { row: 1, userId: '', item, text, wasSent: false };
  const chunk: Chunk = { rows: Array<ItemRow>(1_000).fill(row), digest: '', isLate: false };
  for (let n = 0; n < count; n += 1) yield await Promise.resolve(succeed({ ...chunk }));
}

async function keptOf(count: number, length: number) {
  const surveyed = await surveyRows(chunksOf(count, length), undefined);
  if (!surveyed.ok) throw new Error(surveyed.failure.message);
  expect(surveyed.value.rows).toBe(count * 1_000);
  return surveyed.value.chunks?.length;
}

test.each([
  ['few', 131, 100, 131],
  ['too many', 132, 0, undefined],
  ['long', 33, 500, 33],
  ['too long', 34, 500, undefined],
])('rows that are %s: kept until they are sent, or read once more', async (...args) => {
  const [, count, length, kept] = args;
  expect(await keptOf(count, length)).toBe(kept);
});
