import type { WalletRef } from '../domain.ts';

/** A cache of wallets by owner and currency: the id of one costs a hash. */
export type WalletRefs = {
  find(userId: string, currency: string): WalletRef | undefined;
  keep(ref: WalletRef): void;
  /** How many are kept. */
  count(): number;
};

/** Some 40 MB at most. */
const maxWalletRefs = 100_000;

/**
 * Keeps at most `limit` wallets of all currencies, and is emptied past that: callers name them, and
 * whether their users exist is not checked yet.
 */
export function createWalletRefs(limit: number = maxWalletRefs): WalletRefs {
  const byCurrency = new Map<string, Map<string, WalletRef>>();
  let kept = 0;
  return {
    find: (userId, currency) => byCurrency.get(currency)?.get(userId),
    keep: (ref) => {
      if (kept >= limit) {
        byCurrency.clear();
        kept = 0;
      }
      const ofCurrency = byCurrency.get(ref.currency) ?? new Map<string, WalletRef>();
      byCurrency.set(ref.currency, ofCurrency);
      if (!ofCurrency.has(ref.userId)) kept += 1;
      ofCurrency.set(ref.userId, ref);
    },
    count: () => kept,
  };
}
