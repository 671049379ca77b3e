import { groupBy } from './group.ts';
import type { Checker, Violation } from './violation.ts';

/** Each balance is the sum of its wallet's entries: after every entry, and now. */
export const checkBalances: Checker = (_history, { wallets, entries }) => {
  const violations: Violation[] = [];
  const violate = (walletId: string, what: string, seq?: string): void =>
    void violations.push({
      ...{ checker: 'balances', walletId, what },
      seq: seq === undefined ? undefined : BigInt(seq),
    });
  const sums = new Map<string, bigint>();
  for (const [walletId, rows] of groupBy(entries, (entry) => entry.wallet_id)) {
    let sum = 0n;
    for (const { seq, amount, balance_after: balance } of rows) {
      sum += BigInt(amount);
      if (BigInt(balance) === sum) continue;
      violate(walletId, `the balance is ${balance}, the entries add up to ${sum}`, seq);
    }
    sums.set(walletId, sum);
  }
  for (const { id, balance } of wallets) {
    const sum = sums.get(id) ?? 0n;
    sums.delete(id);
    if (BigInt(balance) === sum) continue;
    violate(id, `the wallet has ${balance}, its entries add up to ${sum}`);
  }
  for (const walletId of sums.keys()) violate(walletId, 'has entries and no row of its own');
  return violations;
};
