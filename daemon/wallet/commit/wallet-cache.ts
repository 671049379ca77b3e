import type { WalletState } from '../domain.ts';

/** Wallets' states as they were after their last commit here. */
export type WalletCache = {
  /** Undefined also where the state may be an older one. */
  get(walletId: string): WalletState | undefined;
  /** The last state that was committed here: the database has this one, or a later one. */
  getCommitted(walletId: string): WalletState | undefined;
  set(wallet: WalletState): void;
  /** There may be a later state. */
  distrust(walletId: string): void;
  /** The database has lost this state. */
  forget(walletId: string): void;
};

type Head = { readonly wallet: WalletState; isCurrent: boolean };

/** Some 50 MB. */
const maxRemembered = 100_000;

/** Keeps at most `limit`; those whose state was set longest ago are dropped first. */
export function createWalletCache(limit: number = maxRemembered): WalletCache {
  let recent = new Map<string, Head>();
  let older = new Map<string, Head>();
  const find = (walletId: string): Head | undefined => recent.get(walletId) ?? older.get(walletId);
  return {
    get: (walletId) => {
      const head = find(walletId);
      return head?.isCurrent ? head.wallet : undefined;
    },
    getCommitted: (walletId) => find(walletId)?.wallet,
    set: (wallet) => {
      if (recent.size >= limit / 2) {
        older = recent;
        recent = new Map();
      }
      recent.set(wallet.id, { wallet, isCurrent: true });
    },
    distrust: (walletId) => {
      const head = find(walletId);
      if (head) head.isCurrent = false;
    },
    forget: (walletId) => {
      recent.delete(walletId);
      older.delete(walletId);
    },
  };
}
