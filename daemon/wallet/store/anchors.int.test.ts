import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { readDebitedBefore } from './anchors.ts';

let test: TestDatabase;
beforeEach(async () => {
  test = await createTestDatabase('wallet');
});
afterEach(() => test.drop());

const startMs = Date.UTC(2026, 0, 1);
const stepMs = 1_000;

/** Entries of a wallet, two at each second, each of which debits as much as its seq. */
async function fill(walletId: string, count: number): Promise<void> {
  await test.query(
    `INSERT INTO transactions (wallet_id, seq, id, operation, amount, balance_after, contra_account,
       source, actor, occurred_at, hash, debited_after)
     SELECT $1, seq, gen_random_uuid(), 2, -seq, 0, 'external:cash', 1, '',
       timestamptz '2026-01-01Z' + (seq / 2) * interval '1 second', '', seq * (seq + 1) / 2
     FROM generate_series(1, $2) AS seq`,
    [walletId, count],
  );
}

/** By adding up. */
const expectedBefore = (count: number, timeMs: number): bigint => {
  let sum = 0n;
  for (let seq = 1; seq <= count; seq += 1) {
    if (startMs + Math.floor(seq / 2) * stepMs < timeMs) sum += BigInt(seq);
  }
  return sum;
};

it('what was debited before a time is found exactly, of several wallets at once', async () => {
  const wallets = [0, 1, 2, 7, 100].map((count) => ({ walletId: randomUUID(), count }));
  for (const { walletId, count } of wallets) await fill(walletId, count);
  const offsets = [-1, 0, 1, 999, 1_000, 1_001, 2_000, 3_500, 24_999, 25_000, 49_000, 50_000, 1e9];
  const places = wallets.flatMap(({ walletId, count }) =>
    offsets.map((offsetMs) => ({
      ...{ walletId, count, seq: BigInt(count) },
      startMs: startMs + offsetMs,
    })),
  );
  const found = await test.db.read((tx) => readDebitedBefore(tx, places));
  expect(found).toEqual(places.map((place) => expectedBefore(place.count, place.startMs)));
});

it('entries behind the seq that is known are not counted', async () => {
  const walletId = randomUUID();
  await fill(walletId, 100);
  const place = { walletId, seq: 10n, startMs: startMs + 1e9 };
  expect(await test.db.read((tx) => readDebitedBefore(tx, [place]))).toEqual([55n]);
});
