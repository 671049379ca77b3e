import type { Db } from '../../platform/db/db.ts';
import { countLines } from './store.ts';

/** Whether all lines of wallets are there. */
export type Coverage = {
  /**
   * `whole` if the lines from 1 to `throughSeq` are all there. `open` where there are too many to
   * be counted at once: the next call goes on. Lines stay once they are there.
   */
  check(walletId: string, throughSeq: bigint): Promise<'whole' | 'missing' | 'open'>;
};

const linesPerCount = 5_000n;
/** A million lines in one call, which takes a fraction of a second. */
const maxCounts = 200;
/** Some 2 MB. */
const maxWallets = 10_000;

/** Counts each line once, and keeps up to where all were there. */
export function createCoverage(db: Db): Coverage {
  const checkedSeqs = new Map<string, bigint>();
  const keep = (walletId: string, seq: bigint): void => {
    checkedSeqs.delete(walletId);
    checkedSeqs.set(walletId, seq);
    const [oldest] = checkedSeqs.keys();
    if (checkedSeqs.size > maxWallets && oldest !== undefined) checkedSeqs.delete(oldest);
  };
  return {
    check: async (walletId, throughSeq) => {
      let checked = checkedSeqs.get(walletId) ?? 0n;
      for (let i = 0; checked < throughSeq; i += 1) {
        if (i >= maxCounts) return 'open';
        const [after, limit] = [checked, checked + linesPerCount];
        const last = limit < throughSeq ? limit : throughSeq;
        const count = await db.read((tx) => countLines(tx, walletId, after, last));
        if (count < last - after) return 'missing';
        checked = last;
        keep(walletId, checked);
      }
      return 'whole';
    },
  };
}
