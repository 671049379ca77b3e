import { absoluteMinor } from '../money.ts';
import { canUndo, ofHold, operations, operationTable, type Operation } from '../operations.ts';
import { findExpiryProblem } from './holds.ts';
import type { ChildEntry, LedgerFinding, ParentFacts } from './types.ts';

type Problem = Pick<LedgerFinding, 'kind' | 'detail'>;

/**
 * What is wrong between an undo, a capture or a release and its parent; undefined if nothing is.
 * Each child is held against the child before it only: if each fits, all together are contiguous
 * from 0, and never pass the parent's amount.
 */
export function findChildProblem(
  child: ChildEntry,
  parent: ParentFacts | undefined,
): Problem | undefined {
  if (!parent) {
    const detail = `the wallet has no transaction ${child.parentId}, its parent`;
    return { kind: 'parent', detail };
  }
  const [operation, of] = [findOperation(child.operation), findOperation(parent.operation)];
  if (parent.seq >= child.seq) return { kind: 'parent', detail: 'its parent is not before it' };
  if (!operation || !of || !isChild(operation, of)) {
    const verb = operation && ofHold(operation) ? 'uses' : 'undoes';
    const what = `a ${operation ?? child.operation} ${verb} a ${of ?? parent.operation}`;
    return { kind: 'parent', detail: what };
  }
  const isOfHold = ofHold(operation);
  const detail =
    (isOfHold ? undefined : findSignProblem(child, parent)) ??
    findAmountProblem(child, parent) ??
    findPlaceProblem(child, parent) ??
    (isOfHold ? findExpiryProblem(child, parent) : undefined);
  return detail === undefined ? undefined : { kind: isOfHold ? 'hold' : 'undo', detail };
}

const isChild = (operation: Operation, of: Operation): boolean =>
  ofHold(operation) ? of === 'hold' : canUndo(operation, of);

const findOperation = (code: number): Operation | undefined =>
  operations.find((name) => operationTable[name].code === code);

const findSignProblem = ({ amountMinor }: ChildEntry, parent: ParentFacts): string | undefined =>
  amountMinor > 0n === parent.amountMinor > 0n
    ? `it has the amount ${amountMinor}, and its parent ${parent.amountMinor}`
    : undefined;

/** What can be used up of a parent: what it reserves, or what it moves. */
const wholeOf = ({ operation, amountMinor, heldMinor }: ParentFacts): bigint =>
  operation === operationTable.hold.code ? absoluteMinor(heldMinor) : absoluteMinor(amountMinor);

/** What a child uses up. */
function sizeOf({ amountMinor, heldMinor }: ChildEntry): bigint {
  const [amount, held] = [absoluteMinor(amountMinor), absoluteMinor(heldMinor)];
  return amount > held ? amount : held;
}

function findAmountProblem(child: ChildEntry, parent: ParentFacts): string | undefined {
  const { amountMinor, heldMinor, parentAmountMinor, parentUsedMinor } = child;
  const wholeMinor = wholeOf(parent);
  if (child.contraAccount !== parent.contraAccount) {
    return `its contra account is ${child.contraAccount}, that of its parent ${parent.contraAccount}`;
  }
  if (parentAmountMinor !== wholeMinor) {
    return `it says that its parent has the amount ${parentAmountMinor}, not ${wholeMinor}`;
  }
  const usedAfterMinor = parentUsedMinor + sizeOf(child);
  if (usedAfterMinor > wholeMinor) {
    return `${usedAfterMinor} of its parent are used up with it, more than ${wholeMinor}`;
  }
  const isRest = usedAfterMinor === wholeMinor;
  return child.operation === operationTable.capture.code && -heldMinor > -amountMinor && !isRest
    ? `it captures ${-amountMinor} and releases ${-heldMinor}, which is not all that is left`
    : undefined;
}

function findPlaceProblem(
  { seq, parentUsedMinor }: ChildEntry,
  { before, sameSeq }: ParentFacts,
): string | undefined {
  if (sameSeq !== undefined && sameSeq < seq) {
    return `entry ${sameSeq} has used the same part of its parent`;
  }
  const usedBefore = before?.usedAfterMinor ?? 0n;
  if (parentUsedMinor !== usedBefore) {
    return `${parentUsedMinor} of its parent were used up before it, by the entries ${usedBefore}`;
  }
  return before && before.seq >= seq
    ? `entry ${before.seq} comes later, and used up the part before`
    : undefined;
}
