import { expectedGenesis, expectedHash } from '../../support/ledger/chain.ts';
import { groupBy } from './group.ts';
import type { Checker, Violation } from './violation.ts';

/** Each hash is the one that follows from the hash before and the row, and the wallet has the last. */
export const checkHashChain: Checker = (_history, { wallets, entries }) => {
  const violations: Violation[] = [];
  const violate = (walletId: string, seq: bigint, what: string): void =>
    void violations.push({ checker: 'hash chain', walletId, seq, what });
  const last = new Map<string, string>();
  for (const [walletId, rows] of groupBy(entries, (entry) => entry.wallet_id)) {
    const [first] = rows;
    if (!first) continue;
    let previous = expectedGenesis(walletId, first.user_id, first.currency);
    for (const row of rows) {
      const expected = expectedHash(previous, row);
      if (row.hash !== expected) violate(walletId, BigInt(row.seq), 'another hash');
      previous = row.hash;
    }
    last.set(walletId, previous);
  }
  for (const { id, seq, last_hash: hash } of wallets) {
    const expected = last.get(id);
    // Without an entry there is nothing that names the owner: sequences and balances compare those.
    if (expected !== undefined && hash !== expected) {
      violate(id, BigInt(seq), 'the wallet has another hash than its last entry');
    }
  }
  return violations;
};
