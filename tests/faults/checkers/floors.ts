import type { Checker, Violation } from './violation.ts';

/** No balance was ever below 0: neither after an entry nor now. */
export const checkFloors: Checker = (_history, { wallets, entries }) => {
  const violations: Violation[] = [];
  const check = (walletId: string, seq: string, balance: string): void => {
    if (BigInt(balance) >= 0n) return;
    const what = `the balance is ${balance}`;
    violations.push({ checker: 'floors', walletId, seq: BigInt(seq), what });
  };
  for (const { wallet_id: id, seq, balance_after: balance } of entries) check(id, seq, balance);
  for (const { id, seq, balance } of wallets) check(id, seq, balance);
  return violations;
};
