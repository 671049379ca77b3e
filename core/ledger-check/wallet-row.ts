import { genesisHash } from '../chain.ts';
import { findExponent } from '../currencies.ts';
import { walletIdOf } from '../ids.ts';
import type { WalletRow } from './read-wallet.ts';
import { isSum, minorOf, type RunningSum } from './sums.ts';
import type { LedgerFinding } from './types.ts';

/** The last entry of a wallet, as it is and (where that differs) as it should be. */
export type LastEntry = {
  /** 0 without an entry. */
  readonly seq: number;
  readonly isBad: boolean;
  /** A character for each byte. */
  readonly hash: string | undefined;
  readonly computed: string;
  readonly balance: RunningSum;
  readonly debited: RunningSum;
  readonly held: RunningSum;
  readonly lowestMinor: bigint;
  /** No entry before it is missing. */
  readonly isWhole: boolean;
  readonly micros: number;
};

/** What is wrong with who a wallet belongs to; undefined if nothing is. */
export function findOwnerProblem({ id, userId, currency }: WalletRow): string | undefined {
  return id === walletIdOf(userId, currency)
    ? undefined
    : 'its id is not that of its owner and currency';
}

/** Holds the row of a wallet against its last entry. */
export function checkWalletRow(
  wallet: WalletRow,
  ownerProblem: string | undefined,
  last: LastEntry,
  report: (seq: number, kind: LedgerFinding['kind'], detail: string) => void,
): void {
  const problems: string[] = [];
  if (ownerProblem !== undefined) problems.push(ownerProblem);
  else if (findExponent(wallet.currency) !== wallet.exponent) {
    problems.push(`${wallet.currency} has not ${wallet.exponent} decimals`);
  }
  if (last.seq === 0) {
    if (wallet.seq > 0) report(1, 'gap', `entries 1 to ${wallet.seq} are missing`);
    else if (!isUnused(wallet, ownerProblem)) {
      report(0, 'no_entries', `there are no entries, and the balance is ${wallet.balanceMinor}`);
    }
  } else if (isCut(wallet, last)) {
    const from = last.seq + 1;
    report(from, 'gap', `the wallet's row has entry ${wallet.seq}, the ledger ends before ${from}`);
  } else problems.push(...listDifferences(wallet, last));
  if (problems.length > 0) report(last.seq, 'wallet', problems.join('; '));
}

const isUnused = (wallet: WalletRow, ownerProblem: string | undefined): boolean =>
  wallet.balanceMinor === 0n &&
  wallet.debitedMinor === 0n &&
  wallet.heldMinor === 0n &&
  (ownerProblem !== undefined || wallet.lastHash === genesisOf(wallet));

const genesisOf = ({ id, userId, currency }: WalletRow): string =>
  Buffer.from(genesisHash(id, userId, currency), 'hex').toString('latin1');

/** The row is of a later entry, in more than its number. */
const isCut = (wallet: WalletRow, last: LastEntry): boolean =>
  wallet.seq > last.seq && wallet.lastHash !== last.hash && wallet.lastHash !== last.computed;

function listDifferences(wallet: WalletRow, last: LastEntry): string[] {
  const found: string[] = [];
  if (wallet.seq !== last.seq) found.push(`it has entry ${wallet.seq} as the last`);
  const { balance, debited, held, isBad } = last;
  const compare = (sum: RunningSum, minor: bigint, name: string): void => {
    if (!isSum(sum, minor)) found.push(`it has ${name} ${minor}, its entries ${minorOf(sum)}`);
  };
  compare(balance, wallet.balanceMinor, 'the balance');
  compare(debited, wallet.debitedMinor, 'the sum of debits');
  compare(held, wallet.heldMinor, 'the reserved amount');
  const { floorMinor, overdraftMinor, balanceMinor, heldMinor } = wallet;
  // With terms there may have been an overdraft, which was not used.
  if (floorMinor < last.lowestMinor && last.isWhole && wallet.termsNo === 0) {
    found.push(`it has the floor ${floorMinor}, and no balance below ${last.lowestMinor}`);
  }
  if (floorMinor > -overdraftMinor) {
    found.push(`it has the floor ${floorMinor}, and an overdraft limit of ${overdraftMinor}`);
  }
  if (wallet.status === 'closed' && (balanceMinor !== 0n || heldMinor !== 0n)) {
    found.push(`it is closed with the balance ${balanceMinor}, and ${heldMinor} reserved`);
  }
  // An entry that was changed is reported, and the row may be what it was.
  const isHash = wallet.lastHash === last.hash || wallet.lastHash === last.computed;
  if (!isHash && !isBad) found.push('it has another hash');
  if (wallet.lastMicros !== last.micros && !isBad) found.push('it has another time');
  return found;
}
