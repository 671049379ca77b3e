import type { WalletRef } from '../domain.ts';

/** Wallets by owner and currency. */
export type WalletRefs = {
  find(userId: string, currency: string): WalletRef | undefined;
  keep(ref: WalletRef): void;
  /** How many are kept. */
  count(): number;
};

/**
 * Keeps at most `limit` in all, whatever their currencies: who asks names them, and has not been
 * found to exist yet. Past it, it begins anew.
 */
export function createWalletRefs(limit: number): WalletRefs {
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
