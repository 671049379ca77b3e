import type { Line } from '../domain.ts';

/** The last line of a wallet that this process knows to be stored. */
export type Tail = Pick<Line, 'seq' | 'hash' | 'userId' | 'currency'>;

/** A line that came before those between it and `lastSeq`, which is undefined where not known. */
export type Skip = Pick<Line, 'walletId' | 'seq'> & { readonly lastSeq: bigint | undefined };

/**
 * The last stored lines of wallets that moved lately, so that nothing is read to check the next.
 */
export type Tails = {
  get(walletId: string): Tail | undefined;
  /**
   * These lines are stored, and their own hashes were checked. `later`: lines that were there
   * already behind some of them, which are then not the last of their wallet. Gives those that
   * skipped others.
   */
  note(lines: readonly Line[], later?: readonly Pick<Line, 'walletId' | 'seq'>[]): Skip[];
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
    note: (lines, later = []) => {
      const skips: Skip[] = [];
      const lastSeqs = new Map<string, bigint>();
      for (const { walletId, seq } of later) {
        if (seq > (lastSeqs.get(walletId) ?? 0n)) lastSeqs.set(walletId, seq);
      }
      for (const { walletId, seq, hash, userId, currency } of lines) {
        const lastSeq = get(walletId)?.seq;
        if (seq <= (lastSeq ?? 0n)) continue;
        if (seq !== (lastSeq ?? 0n) + 1n) skips.push({ walletId, seq, lastSeq });
        if (seq < (lastSeqs.get(walletId) ?? 0n)) continue;
        recent.set(walletId, { seq, hash, userId, currency });
        if (recent.size < limit) continue;
        older = recent;
        recent = new Map();
      }
      return skips;
    },
    forget: (walletIds) => {
      for (const walletId of walletIds) {
        recent.delete(walletId);
        older.delete(walletId);
      }
    },
  };
}
