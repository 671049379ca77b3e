import type { EntryRow } from '../../support/ledger/final-rows.ts';
import { groupBy } from './group.ts';
import type { Checker, Violation } from './violation.ts';

/** A hold and its release move nothing. */
const isSide = ({ contra_account: account, amount }: EntryRow): boolean =>
  account.startsWith('user:') && BigInt(amount) !== 0n;
const capture = 8;

/**
 * Double entry: in each currency the sum of all balances is minus the sum of the contra accounts
 * outside, and each transaction between two wallets has both of its sides, which name each other.
 */
export const checkConservation: Checker = (_history, { wallets, entries }) => {
  const violations: Violation[] = [];
  const violate = (what: string): void => void violations.push({ checker: 'conservation', what });
  const currencies = new Map(entries.map((entry) => [entry.wallet_id, entry.currency]));
  const balances = new Map<string, bigint>();
  const contras = new Map<string, bigint>();
  const add = (sums: Map<string, bigint>, name: string, minor: bigint): void =>
    void sums.set(name, (sums.get(name) ?? 0n) + minor);
  // A wallet without an entry has no currency here: its balance must be 0.
  for (const { id, balance } of wallets) add(balances, currencies.get(id) ?? '', BigInt(balance));
  for (const entry of entries) {
    if (!isSide(entry)) add(contras, entry.currency, -BigInt(entry.amount));
  }
  for (const currency of new Set([...balances.keys(), ...contras.keys()])) {
    const balance = balances.get(currency) ?? 0n;
    const contra = contras.get(currency) ?? 0n;
    if (balance + contra === 0n) continue;
    violate(`${currency}: all balances are ${balance}, all contra accounts ${contra}`);
  }
  for (const [id, sides] of groupBy(entries.filter(isSide), (entry) => entry.id)) {
    const fault = findPairFault(sides);
    if (fault !== undefined) violate(`transaction ${id}: ${fault}`);
  }
  return violations;
};

function findPairFault(sides: readonly EntryRow[]): string | undefined {
  const [a, b] = sides;
  if (!a || !b || sides.length > 2) return `it has ${sides.length} sides between wallets`;
  const sum = BigInt(a.amount) + BigInt(b.amount);
  if (sum !== 0n) return `its entries add up to ${sum}`;
  const isMutual =
    a.contra_account === `user:${b.user_id}` && b.contra_account === `user:${a.user_id}`;
  if (!isMutual || a.currency !== b.currency) return 'its sides do not name each other';
  // Only the payer's wallet has the hold of a capture.
  const isSameParent =
    a.operation === capture ||
    (a.parent_id === b.parent_id && (a.parent_used ?? null) === (b.parent_used ?? null));
  return a.operation === b.operation && isSameParent
    ? undefined
    : 'its sides differ in operation or parent';
}
