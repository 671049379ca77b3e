import { expect, it, vi } from 'vitest';

import { buildCommand } from '../../../tests/support/ledger/build-command.ts';
import type { Db } from '../../platform/db/db.ts';
import { newWallet, type Command } from '../domain.ts';
import { createOptimisticCommit } from './optimistic-commit.ts';
import { createWalletCache } from '../store/wallet-cache.ts';

const payer = buildCommand('00000000-0000-4000-8000-000000000001');
const payee = buildCommand('00000000-0000-4000-8000-000000000002');

/** As if the domain had a command on two wallets: the payer's also concerns the payee's. */
vi.mock('../domain.ts', async (importOriginal) => ({
  ...(await importOriginal<object>()),
  walletsOf: ({ wallet }: Command) =>
    wallet.id === payer.wallet.id ? [wallet, payee.wallet] : [wallet],
}));

it('a failed commit drops every wallet of its commands from the wallet state cache', async () => {
  const other = buildCommand('00000000-0000-4000-8000-000000000003');
  const untouched = buildCommand('00000000-0000-4000-8000-000000000004');
  const walletCache = createWalletCache();
  const all = [payer, payee, other, untouched];
  for (const { wallet } of all) walletCache.set(newWallet(wallet));
  const failing = { tx: () => Promise.reject(new Error('connection lost')) } as unknown as Db;
  const commit = createOptimisticCommit(failing, walletCache);
  await expect(commit([payer, other])).rejects.toThrow('connection lost');
  const cached = all.map(({ wallet }) => walletCache.get(wallet.id)?.id);
  expect(cached).toEqual([undefined, undefined, undefined, untouched.wallet.id]);
});
