import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { genesisHash } from '../../../core/chain.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import { newWallet } from '../domain.ts';
import { createWalletCache } from '../store/wallet-cache.ts';
import { openWallets } from '../store/writes.ts';
import { findByWallets } from './users.ts';

let test: TestDatabase;
/** The ids that the auth service was asked for; it knows all of them. */
let asked: string[];

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  asked = [];
});
afterEach(() => test.drop());

const findUsers = (ids: readonly string[]) => {
  asked.push(...ids);
  return Promise.resolve(new Set(ids));
};

const walletOf = (userId: string, currency = 'BRL') =>
  newWallet({ id: walletIdOf(userId, currency), userId, currency, exponent: 2 });

it('the auth service is not asked for the owner of a wallet, which is cached', async () => {
  const [owner, stranger, foreigner] = [randomUUID(), randomUUID(), randomUUID()] as const;
  const opened = [walletOf(owner), walletOf(foreigner, 'USD')];
  await test.db.tx((tx) => openWallets(tx, opened));
  const walletCache = createWalletCache();
  const find = findByWallets(test.db, walletCache, 'BRL', findUsers);
  const all = [owner, stranger, foreigner];
  expect(await find(all)).toEqual(new Set(all));
  expect(asked).toEqual([stranger, foreigner]);
  expect(walletCache.get(walletIdOf(owner, 'BRL'))).toMatchObject({
    userId: owner,
    seq: 0n,
    lastHash: genesisHash(walletIdOf(owner, 'BRL'), owner, 'BRL'),
  });
  expect(walletCache.get(walletIdOf(stranger, 'BRL'))).toBeUndefined();
});

it('a wallet that a commit has cached is newer, and stays', async () => {
  const owner = randomUUID();
  await test.db.tx((tx) => openWallets(tx, [walletOf(owner)]));
  const walletCache = createWalletCache();
  walletCache.set({ ...walletOf(owner), seq: 7n });
  await findByWallets(test.db, walletCache, 'BRL', findUsers)([owner]);
  expect(walletCache.get(walletIdOf(owner, 'BRL'))?.seq).toBe(7n);
});

it.each(['a larger balance', 'an older seq'])(
  'an edited wallet row is not cached: %s',
  async (edit) => {
    const owner = randomUUID();
    const commit = createOptimisticCommit(test.db);
    for (let i = 0; i < 2; i += 1) await commit([buildCommand(owner)]);
    const set = edit === 'a larger balance' ? 'balance = balance + 100000' : 'seq = seq - 1';
    await test.query(`UPDATE wallets SET ${set}`);
    const walletCache = createWalletCache();
    expect(await findByWallets(test.db, walletCache, 'BRL', findUsers)([owner])).toEqual(
      new Set([owner]),
    );
    expect(walletCache.get(walletIdOf(owner, 'BRL'))).toBeUndefined();
    const spend = buildCommand(owner, { operation: 'withdraw', amountMinor: 50_000n });
    expect(await createOptimisticCommit(test.db, walletCache)([spend])).toMatchObject([
      { ok: false, rejection: { reason: 'WALLET_CORRUPT' } },
    ]);
  },
);

it('a wallet time in the future that was corrected is no longer refused', async () => {
  const owner = randomUUID();
  await createOptimisticCommit(test.db)([buildCommand(owner)]);
  const walletCache = createWalletCache();
  const commit = createOptimisticCommit(test.db, walletCache);
  const ask = async () => {
    await findByWallets(test.db, walletCache, 'BRL', findUsers)([owner]);
    return commit([buildCommand(owner)]);
  };
  await test.query("UPDATE wallets SET read_watermark = now() + interval '1 day'");
  expect(await ask()).toMatchObject([{ ok: false, rejection: { reason: 'WALLET_CLOCK_AHEAD' } }]);
  expect(await ask()).toMatchObject([{ ok: false, rejection: { reason: 'WALLET_CLOCK_AHEAD' } }]);
  await test.query('UPDATE wallets SET read_watermark = now()');
  expect(await ask()).toMatchObject([{ ok: true, value: { entry: { seq: 2n } } }]);
});

it('the auth service is asked where a wallet’s row is of another user', async () => {
  const [owner, other] = [randomUUID(), randomUUID()] as const;
  const taken = { ...walletOf(owner), userId: other };
  await test.db.tx((tx) => openWallets(tx, [taken]));
  const walletCache = createWalletCache();
  await findByWallets(test.db, walletCache, 'BRL', findUsers)([owner]);
  expect(asked).toEqual([owner]);
  expect(walletCache.get(taken.id)).toBeUndefined();
});

it('if the database is unavailable, the auth service is asked for all users', async () => {
  const away = { ...test.db, read: () => Promise.reject(new Error('away')) };
  const owner = randomUUID();
  await test.db.tx((tx) => openWallets(tx, [walletOf(owner)]));
  await findByWallets(away, createWalletCache(), 'BRL', findUsers)([owner]);
  expect(asked).toEqual([owner]);
});
