import { expect, it } from 'vitest';

import { newWallet } from '../domain.ts';
import { createWalletCache } from './wallet-cache.ts';

const wallet = (id: string) => newWallet({ id, userId: id, currency: 'BRL', exponent: 2 });

it('keeps what was set last, and never more than its limit', () => {
  const heads = createWalletCache(100);
  for (let n = 0; n < 1_000; n += 1) heads.set(wallet(`w${n}`));
  const kept = Array.from({ length: 1_000 }, (_, n) => heads.get(`w${n}`)).filter(Boolean);
  expect(kept.length).toBeLessThanOrEqual(100);
  for (let n = 951; n < 1_000; n += 1) expect(heads.get(`w${n}`)?.id).toBe(`w${n}`);
});

it('forgets, also what was set long ago, and gives the newest of two states', () => {
  const heads = createWalletCache(4);
  heads.set(wallet('a'));
  for (const id of ['b', 'c', 'd']) heads.set(wallet(id));
  heads.set({ ...wallet('a'), seq: 7n });
  expect(heads.get('a')?.seq).toBe(7n);
  heads.forget('a');
  expect(heads.get('a')).toBeUndefined();
});
