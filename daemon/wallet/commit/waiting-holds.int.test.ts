import { randomUUID } from 'node:crypto';

import { expect, it } from 'vitest';

import { brlWalletOf, buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { holdWallet } from '../../../tests/support/postgres/hold-lock.ts';
import { createOptimisticCommit } from './optimistic-commit.ts';
import { createDaemon, deposit, hold, useHolds, waitUntilPast, withdraw } from './test-support.ts';

const { database } = useHolds();

it('a hold that ends while its wallet waits for another one is released before the next entry', async () => {
  const [submit, payee] = [createDaemon(), randomUUID()];
  const [short, long] = [hold(40n, { expiresInMs: 50 }), hold(10n)];
  await Promise.all([deposit(100n), deposit(1n, payee), short, long].map(submit));
  await waitUntilPast(short);
  const { userId } = short.wallet;
  const more = { other: brlWalletOf(payee) };
  const transfer = buildCommand(userId, { operation: 'transfer', amountMinor: 5n, more });
  const release = await holdWallet(database().superUrl, payee);
  try {
    const commit = createOptimisticCommit(database().db);
    expect(await commit([transfer], 'skip')).toEqual(['busy']);
  } finally {
    await release();
  }
  // What is left of the money is there for another daemon, too.
  expect(await createDaemon()(withdraw(90n))).toBe('done');
  const entries = await database().query<{ operation: number }>(
    'SELECT operation FROM transactions WHERE wallet_id = $1 ORDER BY seq',
    [short.wallet.id],
  );
  expect(entries.map(({ operation }) => operation).slice(-2)).toEqual([9, 2]);
});
