import type { EntryRow } from './rows.ts';

/** A sum over a wallet's entries, as the last one has it and (where that differs) should have it. */
export type RunningSum = {
  /** In minor units; NaN where `minor` has it, or it is unknown. */
  exact: number;
  minor: bigint | undefined;
  expectedMinor: bigint | undefined;
};

export const newSum = (): RunningSum => ({ exact: 0, minor: undefined, expectedMinor: undefined });

export function resetSum(sum: RunningSum): void {
  sum.exact = 0;
  sum.minor = undefined;
  sum.expectedMinor = undefined;
}

/** The entry before is missing: what the next one has is not compared with anything. */
export function forgetSum(sum: RunningSum): void {
  sum.exact = NaN;
  sum.minor = undefined;
  sum.expectedMinor = undefined;
}

/** The sum of the entry before; undefined if it is unknown. */
export const minorOf = ({ exact, minor }: RunningSum): bigint | undefined =>
  Number.isNaN(exact) ? minor : BigInt(exact);

type Read = (row: EntryRow) => bigint;

/**
 * Goes on by one entry: `change` and `found` are what it adds and what it has, NaN where that is not
 * exact in a number; the other two read the same of any size. Gives what it should have, where it
 * has another sum: either may be what was changed, and the next entry shows which. `isVouchedFor`:
 * it is not compared with the one before.
 */
export function addToSum(
  sum: RunningSum,
  row: EntryRow,
  change: number,
  found: number,
  readChange: Read,
  readFound: Read,
  isVouchedFor: boolean,
): bigint | undefined {
  // Exact: each of them is below 10^15, or NaN.
  const isNext = sum.exact + change === found;
  const before = isNext ? undefined : minorOf(sum);
  const { expectedMinor } = sum;
  sum.expectedMinor = undefined;
  sum.exact = found;
  sum.minor = Number.isNaN(found) ? readFound(row) : undefined;
  if (before === undefined || isVouchedFor) return undefined;
  const [changeMinor, foundMinor] = [readChange(row), readFound(row)];
  const expected = before + changeMinor;
  if (foundMinor === expected) return undefined;
  if (expectedMinor !== undefined && foundMinor === expectedMinor + changeMinor) return undefined;
  sum.expectedMinor = expected;
  return expected;
}

/** Whether a wallet's row may have this sum. */
export function isSum(sum: RunningSum, minor: bigint): boolean {
  const last = minorOf(sum);
  return last === undefined || minor === last || minor === sum.expectedMinor;
}
