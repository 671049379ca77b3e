import type { EntryRow } from '../../support/ledger/final-rows.ts';
import { groupBy } from './group.ts';
import type { Checker, Violation } from './violation.ts';

const reversal = 4;
const cancellation = 5;
const purchase = 3;
const [hold, capture, release] = [7, 8, 9];

/**
 * Each undo follows its parent on the same wallet, with the opposite sign, and each use of a hold
 * its hold. The parts that were undone or used of a parent are contiguous, and never more than its
 * amount.
 */
export const checkUndos: Checker = (_history, { entries }) => {
  const violations: Violation[] = [];
  for (const [walletId, rows] of groupBy(entries, (entry) => entry.wallet_id)) {
    const before = new Map<string, EntryRow>();
    const used = new Map<string, bigint>();
    for (const row of rows) {
      const fault = findFault(row, before, used);
      const seq = BigInt(row.seq);
      if (fault !== undefined) violations.push({ checker: 'undos', walletId, seq, what: fault });
      before.set(row.id, row);
      if (row.parent_id !== null) {
        used.set(row.parent_id, (used.get(row.parent_id) ?? 0n) + usedBy(row));
      }
    }
  }
  return violations;
};

const sizeOf = (amount: string): bigint => BigInt(amount.replace('-', ''));

/** What an entry uses up of its parent. */
function usedBy({ amount, held }: EntryRow): bigint {
  const [moved, reserved] = [sizeOf(amount), sizeOf(held ?? '0')];
  return moved > reserved ? moved : reserved;
}

function findFault(
  row: EntryRow,
  before: ReadonlyMap<string, EntryRow>,
  used: ReadonlyMap<string, bigint>,
): string | undefined {
  const { operation, amount, parent_id: parentId, parent_used: place } = row;
  const isUndo = operation === reversal || operation === cancellation;
  // What a capture pays comes to the payee without a parent.
  const isUse = operation === release || (operation === capture && BigInt(amount) < 0n);
  if (!isUndo && !isUse) {
    return parentId === null ? undefined : `is no undo, and has the parent ${parentId}`;
  }
  const parent = before.get(parentId ?? '');
  if (!parent) return `undoes or uses ${parentId}, which is not there before it`;
  const usedBefore = used.get(parent.id) ?? 0n;
  const whole = isUse ? sizeOf(parent.held ?? '0') : sizeOf(parent.amount);
  if (usedBefore + usedBy(row) > whole) {
    return `uses ${usedBy(row)} of ${parentId}, of which ${usedBefore} of ${whole} were used`;
  }
  if (BigInt(place ?? 0) !== usedBefore) return `says ${place} were used, not ${usedBefore}`;
  return isUse ? findUseFault(row, parent) : findUndoFault(row, parent);
}

function findUndoFault(
  { operation, amount, contra_account: account }: EntryRow,
  parent: EntryRow,
): string | undefined {
  const isUndoable =
    operation === cancellation
      ? parent.operation === purchase || parent.operation === capture
      : ![reversal, cancellation, hold, release].includes(parent.operation);
  if (!isUndoable) return `operation ${operation} undoes operation ${parent.operation}`;
  const isOpposite = BigInt(amount) > 0n !== BigInt(parent.amount) > 0n;
  return isOpposite && account === parent.contra_account
    ? undefined
    : `is not the opposite of seq ${parent.seq}`;
}

const findUseFault = (row: EntryRow, parent: EntryRow): string | undefined =>
  parent.operation === hold && row.contra_account === parent.contra_account
    ? undefined
    : `is no use of seq ${parent.seq}`;
