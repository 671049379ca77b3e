import type { EntryRow } from '../../support/ledger/final-rows.ts';
import { groupBy } from './group.ts';
import type { Checker, Violation } from './violation.ts';

const reversal = 4;
const cancellation = 5;
const purchase = 3;

/** Each undo follows its parent on the same wallet, is its exact opposite, and is the only one. */
export const checkUndos: Checker = (_history, { entries }) => {
  const violations: Violation[] = [];
  for (const [walletId, rows] of groupBy(entries, (entry) => entry.wallet_id)) {
    const before = new Map<string, EntryRow>();
    const undone = new Set<string>();
    for (const row of rows) {
      const fault = findFault(row, before, undone);
      const seq = BigInt(row.seq);
      if (fault !== undefined) violations.push({ checker: 'undos', walletId, seq, what: fault });
      before.set(row.id, row);
      if (row.parent_id !== null) undone.add(row.parent_id);
    }
  }
  return violations;
};

function findFault(
  { operation, amount, parent_id: parentId, contra_account: account }: EntryRow,
  before: ReadonlyMap<string, EntryRow>,
  undone: ReadonlySet<string>,
): string | undefined {
  const isUndo = operation === reversal || operation === cancellation;
  if (!isUndo) return parentId === null ? undefined : `is no undo, and has the parent ${parentId}`;
  const parent = before.get(parentId ?? '');
  if (!parent) return `undoes ${parentId}, which is not there before it`;
  if (undone.has(parent.id)) return `undoes ${parentId} once more`;
  const isUndoable = operation === cancellation ? parent.operation === purchase : !parent.parent_id;
  if (!isUndoable) return `operation ${operation} undoes operation ${parent.operation}`;
  const isOpposite = BigInt(amount) === -BigInt(parent.amount) && account === parent.contra_account;
  return isOpposite ? undefined : `is not the opposite of seq ${parent.seq}`;
}
