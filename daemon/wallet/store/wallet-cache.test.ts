import { expect, it } from 'vitest';

import { newWallet } from '../domain.ts';
import { createWalletCache } from './wallet-cache.ts';

const wallet = (id: string) => newWallet({ id, userId: id, currency: 'BRL', exponent: 2 });

it('the wallet state cache keeps what was set last, and never exceeds its limit', () => {
  const walletCache = createWalletCache(100);
  for (let n = 0; n < 1_000; n += 1) walletCache.set(wallet(`w${n}`));
  const kept = Array.from({ length: 1_000 }, (_, n) => walletCache.get(`w${n}`)).filter(Boolean);
  expect(kept.length).toBeLessThanOrEqual(100);
  for (let n = 951; n < 1_000; n += 1) expect(walletCache.get(`w${n}`)?.id).toBe(`w${n}`);
});

it('the wallet state cache gives the newer of two states, and forgets on request', () => {
  const walletCache = createWalletCache(4);
  walletCache.set(wallet('a'));
  for (const id of ['b', 'c', 'd']) walletCache.set(wallet(id));
  walletCache.set({ ...wallet('a'), seq: 7n });
  expect(walletCache.get('a')?.seq).toBe(7n);
  walletCache.forget('a');
  expect(walletCache.get('a')).toBeUndefined();
});
