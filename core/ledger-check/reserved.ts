import { isUndo, operationOfCode } from '../operations.ts';
import { readAmount, readBalance, readHeld, readHeldAfter, type EntryRow } from './rows.ts';
import type { State } from './state.ts';
import { addToSum } from './sums.ts';
import type { LedgerFinding } from './types.ts';

type Report = (kind: LedgerFinding['kind'], detail: string) => void;

const exactBelow = 10 ** 15;

function toExact(minor: bigint): number {
  const value = Number(minor);
  return Math.abs(value) < exactBelow ? value : NaN;
}

/** What is reserved after an entry is what was reserved before it, and what it reserves itself. */
export function checkHeld(
  row: EntryRow,
  state: State,
  isVouchedFor: boolean,
  report: Report,
): void {
  if (!row.hasMore && state.held.exact === 0) return;
  const { heldMinor, heldAfterMinor } = row;
  const [change, found] = [toExact(heldMinor), toExact(heldAfterMinor)];
  const was = addToSum(state.held, row, change, found, readHeld, readHeldAfter, isVouchedFor);
  if (was === undefined) return;
  const detail = `it reserves ${heldMinor}, and ${heldAfterMinor} are reserved, by the entries ${was}`;
  report('held', detail);
}

/**
 * Only a forced undo takes a balance below what the wallet's terms allow, and lowers the floor to
 * it. What an ordinary debit or hold leaves covers all that is reserved: the floor is as low as any
 * overdraft limit was.
 */
export function checkFloor(
  row: EntryRow,
  state: State,
  balanceWas: bigint | undefined,
  report: Report,
): void {
  if (balanceWas !== undefined && balanceWas < state.lowestMinor) state.lowestMinor = balanceWas;
  if (row.balance >= 0 && row.heldAfterMinor === 0n) return;
  const balanceMinor = readBalance(row);
  if (balanceMinor < state.lowestMinor) state.lowestMinor = balanceMinor;
  const { wallet } = state;
  if (!wallet) return;
  const { floorMinor } = wallet;
  if (balanceMinor < floorMinor) {
    report('floor', `the balance is ${balanceMinor}, below ${floorMinor}, its floor`);
    return;
  }
  const name = operationOfCode(row.operation);
  if (isUndo(name) || (readAmount(row) >= 0n && name !== 'hold')) return;
  const lowestMinor = wallet.termsNo === 0 ? 0n : floorMinor;
  // What a capture takes was reserved before: a forced undo since may have taken the rest.
  const reservedMinor = name === 'capture' ? 0n : row.heldAfterMinor;
  if (balanceMinor - lowestMinor >= reservedMinor) return;
  const detail = `a ${name} takes the balance to ${balanceMinor}`;
  report(
    'floor',
    reservedMinor === 0n ? detail : `${detail}, of which ${reservedMinor} are reserved`,
  );
}
