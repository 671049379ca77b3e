import type { Line } from '../domain.ts';

/** The last line of a wallet that this process knows to be stored. */
export type Tail = Pick<Line, 'seq' | 'hash' | 'userId' | 'currency'>;

/** The last stored lines of wallets that moved lately, so that nothing is read to check the next. */
export type Tails = {
  get(walletId: string): Tail | undefined;
  /** These lines are stored, and their own hashes were checked. */
  note(lines: readonly Line[]): void;
  /** These wallets have other lines than those that came. */
  forget(walletIds: readonly string[]): void;
};

const maxWallets = 50_000;

/** Remembers at least the `limit` wallets that were noted last, and at most twice as many. */
export function createTails(limit = maxWallets): Tails {
  let recent = new Map<string, Tail>();
  let older = new Map<string, Tail>();
  const get = (walletId: string): Tail | undefined => recent.get(walletId) ?? older.get(walletId);
  return {
    get,
    note: (lines) => {
      for (const { walletId, seq, hash, userId, currency } of lines) {
        if (seq <= (get(walletId)?.seq ?? 0n)) continue;
        recent.set(walletId, { seq, hash, userId, currency });
        if (recent.size < limit) continue;
        older = recent;
        recent = new Map();
      }
    },
    forget: (walletIds) => {
      for (const walletId of walletIds) {
        recent.delete(walletId);
        older.delete(walletId);
      }
    },
  };
}
