import type { EntryRow } from '../../support/ledger/final-rows.ts';
import type { Checker, Violation } from './violation.ts';

const isOwnSide = ({ contra_account: account }: EntryRow): boolean => account.startsWith('user:');

/**
 * Double entry: in each currency the sum of all balances is minus the sum of the contra accounts
 * outside, and the entries of one transaction between wallets add up to 0.
 */
export const checkConservation: Checker = (_history, { wallets, entries }) => {
  const violations: Violation[] = [];
  const violate = (what: string): void => void violations.push({ checker: 'conservation', what });
  const currencies = new Map(entries.map((entry) => [entry.wallet_id, entry.currency]));
  const balances = new Map<string, bigint>();
  const contras = new Map<string, bigint>();
  const between = new Map<string, bigint>();
  const add = (sums: Map<string, bigint>, name: string, minor: bigint): void =>
    void sums.set(name, (sums.get(name) ?? 0n) + minor);
  // A wallet without an entry has no currency here: its balance must be 0.
  for (const { id, balance } of wallets) add(balances, currencies.get(id) ?? '', BigInt(balance));
  for (const entry of entries) {
    if (isOwnSide(entry)) add(between, entry.id, BigInt(entry.amount));
    else add(contras, entry.currency, -BigInt(entry.amount));
  }
  for (const currency of new Set([...balances.keys(), ...contras.keys()])) {
    const balance = balances.get(currency) ?? 0n;
    const contra = contras.get(currency) ?? 0n;
    if (balance + contra === 0n) continue;
    violate(`${currency}: all balances are ${balance}, all contra accounts ${contra}`);
  }
  for (const [id, sum] of between) {
    if (sum !== 0n) violate(`transaction ${id}: its entries add up to ${sum}`);
  }
  return violations;
};
