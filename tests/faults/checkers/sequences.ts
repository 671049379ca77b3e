import { groupBy } from './group.ts';
import type { Checker, Violation } from './violation.ts';

/** The entries of a wallet are numbered from 1 without a gap, and its row names the last one. */
export const checkSequences: Checker = (_history, { wallets, entries }) => {
  const violations: Violation[] = [];
  const violate = (walletId: string, seq: bigint, what: string): void =>
    void violations.push({ checker: 'sequences', walletId, seq, what });
  const last = new Map<string, bigint>();
  for (const [walletId, rows] of groupBy(entries, (entry) => entry.wallet_id)) {
    let before = 0n;
    for (const row of rows) {
      const seq = BigInt(row.seq);
      if (seq !== before + 1n) violate(walletId, seq, `follows ${before}`);
      before = seq;
    }
    last.set(walletId, before);
  }
  for (const { id, seq } of wallets) {
    const found = last.get(id) ?? 0n;
    if (BigInt(seq) !== found) violate(id, BigInt(seq), `the last entry is ${found}`);
  }
  return violations;
};
