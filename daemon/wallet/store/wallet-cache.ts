import type { WalletState } from '../domain.ts';
import type { Anchors } from './rare-states.ts';

/** Wallet state cache: the states of wallets after their last commit by this process. */
export type WalletCache = {
  /** Undefined also where the database may have a later state. */
  get(walletId: string): WalletState | undefined;
  /** The last state that was committed here: the database has this one, or a later one. */
  getCommitted(walletId: string): WalletState | undefined;
  /** What was debited before the calendar windows of a wallet's limits. */
  getAnchors(walletId: string): Anchors | undefined;
  set(wallet: WalletState): void;
  /** Kept until the wallet's state is not current any more. */
  setAnchors(walletId: string, anchors: Anchors): void;
  /** The database may have a later state. */
  markStale(walletId: string): void;
  /** The database has lost this state. */
  forget(walletId: string): void;
};

type CachedWallet = { readonly wallet: WalletState; isCurrent: boolean };

/** Some 50 MB. */
const maxCached = 100_000;

/** Keeps at most `limit`; those whose state was set longest ago are dropped first. */
export function createWalletCache(limit: number = maxCached): WalletCache {
  let recent = new Map<string, CachedWallet>();
  let older = new Map<string, CachedWallet>();
  // Few wallets have limits. Without a wallet's state its anchors prove nothing.
  const anchorsOf = new Map<string, Anchors>();
  const find = (walletId: string): CachedWallet | undefined =>
    recent.get(walletId) ?? older.get(walletId);
  return {
    get: (walletId) => {
      const cached = find(walletId);
      return cached?.isCurrent ? cached.wallet : undefined;
    },
    getCommitted: (walletId) => find(walletId)?.wallet,
    getAnchors: (walletId) => anchorsOf.get(walletId),
    set: (wallet) => {
      if (recent.size >= limit / 2) {
        older = recent;
        recent = new Map();
        anchorsOf.clear();
      }
      recent.set(wallet.id, { wallet, isCurrent: true });
    },
    setAnchors: (walletId, anchors) => void anchorsOf.set(walletId, anchors),
    markStale: (walletId) => {
      const cached = find(walletId);
      if (cached) cached.isCurrent = false;
      anchorsOf.delete(walletId);
    },
    forget: (walletId) => {
      recent.delete(walletId);
      older.delete(walletId);
      anchorsOf.delete(walletId);
    },
  };
}
