import type { WalletState } from './domain.ts';

/** Wallets' states as they were after their last commit here. */
export type Heads = {
  get(walletId: string): WalletState | undefined;
  set(wallet: WalletState): void;
  forget(walletId: string): void;
};

/** Some 50 MB. */
const maxRemembered = 100_000;

/** Keeps at most `limit`; those whose state was set longest ago are dropped first. */
export function createHeads(limit: number = maxRemembered): Heads {
  let recent = new Map<string, WalletState>();
  let older = new Map<string, WalletState>();
  return {
    get: (walletId) => recent.get(walletId) ?? older.get(walletId),
    set: (wallet) => {
      if (recent.size >= limit / 2) {
        older = recent;
        recent = new Map();
      }
      recent.set(wallet.id, wallet);
    },
    forget: (walletId) => {
      recent.delete(walletId);
      older.delete(walletId);
    },
  };
}
