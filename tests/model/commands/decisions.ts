import {
  accountOf,
  amountOf,
  applyDone,
  decideRequest,
  decideSide,
  isUndo,
  revertDone,
  type Done,
  type OperationName,
  type Request,
  type State,
  type Verdict,
} from '../../support/ledger/wallet-model.ts';
import type { Model, Place, Sent } from '../model.ts';
import { otherOf } from './drafts.ts';

/** What must be answered to a request. */
export type Expected =
  | { readonly reason: string }
  | {
      readonly id: string;
      readonly seq: number;
      readonly amountMinor: bigint;
      readonly isReplayed: boolean;
      /** After it; undefined for a replay. */
      readonly balanceMinor: bigint | undefined;
      readonly heldMinor: bigint | undefined;
    };

type Decided = { readonly verdict: Verdict; readonly side?: Done };

/** Does a request in the model. */
export function decideNext(model: Model, sent: Sent): Expected {
  const { place, request } = sent;
  const state = model.wallets[place];
  const decided = decideBoth(model, sent);
  const { verdict } = decided;
  const isReplayed = verdict.kind === 'repeated';
  if (!isReplayed) model.sent.push(sent);
  if (verdict.kind === 'rejected') return { reason: verdict.reason };
  apply(model, sent, decided);
  const done = state.done.get(request.id);
  const seq = model.seqs.get(request.id);
  if (!done || seq === undefined) throw new Error(`the model has no transaction ${request.id}`);
  const after = isReplayed
    ? { balanceMinor: undefined, heldMinor: undefined }
    : { balanceMinor: state.balanceMinor, heldMinor: state.heldMinor };
  return { id: request.id, seq, amountMinor: amountOf(done), isReplayed, ...after };
}

function apply(model: Model, { place, request }: Sent, { verdict, side }: Decided): void {
  if (verdict.kind !== 'accepted') return;
  const state = model.wallets[place];
  applyDone(state, verdict.done);
  if (side) applyDone(model.wallets[otherOf(place)], side);
  model.seqs.set(request.id, state.seq);
}

/** Does all requests of a group, or none: the one that is refused names its own reason. */
export function decideGroup(model: Model, group: readonly Sent[]): readonly Expected[] {
  const done: { readonly place: Place; readonly one: Done }[] = [];
  const expected: Expected[] = [];
  for (const [i, sent] of group.entries()) {
    const { verdict, side } = decideBoth(model, sent);
    if (verdict.kind === 'accepted') {
      done.push({ place: sent.place, one: verdict.done });
      if (side) done.push({ place: otherOf(sent.place), one: side });
    }
    expected.push(decideNext(model, sent));
    if (verdict.kind === 'accepted') continue;
    for (const { place, one } of done.toReversed()) revertDone(model.wallets[place], one);
    for (const { request } of group) model.seqs.delete(request.id);
    model.sent.push(...group.slice(i + 1));
    const own = expected[i] ?? { reason: '' };
    return group.map((_each, n) => (n === i ? own : { reason: 'GROUP_ABORTED' }));
  }
  return expected;
}

/**
 * What the wallets of a request make of it; `side` is what it does to the other one. What was done
 * before is answered as ever.
 */
function decideBoth(model: Model, { caller, place, request }: Sent): Decided {
  const state = model.wallets[place];
  const { operation, parentId = '' } = request;
  if (state.done.has(request.id)) return { verdict: decideRequest(state, request) };
  const isStaff = caller === 'staff';
  const closedBy = findClosed(model, place, isStaff, operation);
  if (closedBy !== undefined) return reject(closedBy);
  const verdict = decideRequest(state, request);
  const isOfUser = state.done.get(parentId)?.contraAccount.startsWith('user:') === true;
  const isOfTwo = operation === 'transfer' || (hasOther(operation) && isOfUser);
  const undone = state.done.get(parentId)?.operation;
  const isOfStaff = isOfTwo || undone === 'capture' || undone === 'fee';
  if (isUndo(operation) && isOfStaff && !isStaff) return reject('PARENT_NOT_UNDOABLE');
  const own =
    ownReason(model, place, isStaff && isUndo(operation), verdict) ??
    findLimit(model, place, request);
  if (own !== undefined) return reject(own);
  if (!isOfTwo || verdict.kind !== 'accepted') return { verdict };
  const other = otherOf(place);
  const { done } = verdict;
  const contraAccount = accountOf(request.wallet.userId);
  // Only the payer's wallet has the hold of a capture.
  const parent = operation === 'capture' ? { parentId: undefined, usedMinor: 0n } : {};
  const opposite = { amountMinor: -done.amountMinor, heldMinor: 0n };
  const side: Done = { ...done, ...opposite, ...parent, contraAccount };
  const answer = decideSide(model.wallets[other], side);
  const reason =
    findClosed(model, other, isStaff, operation) ??
    findFrozen(model, other, isStaff && isUndo(operation), side) ??
    reasonOf(answer);
  if (reason === undefined) return { verdict, side };
  // A customer does not learn why the payee cannot be paid.
  return reject(isStaff ? reason : 'RECIPIENT_UNAVAILABLE');
}

const hasOther = (operation: OperationName): boolean =>
  isUndo(operation) || operation === 'capture';

/** On a frozen wallet only staff undo or release anything; on a closed one nothing is done. */
function findClosed(
  { statuses }: Model,
  place: Place,
  isStaff: boolean,
  operation: OperationName,
): string | undefined {
  if (statuses[place] === 'closed') return 'WALLET_CLOSED';
  if (statuses[place] !== 'frozen') return undefined;
  return isStaff && mayThaw(operation) ? undefined : 'WALLET_FROZEN';
}

const mayThaw = (operation: OperationName): boolean => isUndo(operation) || operation === 'release';

function findFrozen(
  { statuses }: Model,
  place: Place,
  isStaffUndo: boolean,
  { amountMinor, heldMinor }: Done,
): string | undefined {
  const takes = amountMinor < 0n || heldMinor > 0n;
  return statuses[place] === 'debits_frozen' && takes && !isStaffUndo ? 'WALLET_FROZEN' : undefined;
}

/** Why the wallet itself refuses; staff may undo what was done on a frozen one. */
function ownReason(
  model: Model,
  place: Place,
  isStaffUndo: boolean,
  verdict: Verdict,
): string | undefined {
  const isOfFunds = verdict.kind === 'rejected' && verdict.reason === 'INSUFFICIENT_FUNDS';
  // Whether a debit may be is looked at before whether there is money for it.
  const isFrozen = model.statuses[place] === 'debits_frozen' && !isStaffUndo;
  if (isOfFunds && isFrozen) return 'WALLET_FROZEN';
  if (verdict.kind !== 'accepted') return reasonOf(verdict);
  const { done } = verdict;
  return findFrozen(model, place, isStaffUndo, done);
}

const spending: readonly OperationName[] = ['withdraw', 'purchase', 'transfer', 'hold', 'fee'];

/** All debits of a run are of one day, and what is reserved counts, too. */
function findLimit(
  { limits, wallets }: Model,
  place: Place,
  { operation, amountMinor: size = 0n }: Request,
): string | undefined {
  const of = limits[place];
  if (!of || !spending.includes(operation)) return undefined;
  const usedMinor = debitedBy(wallets[place]) + wallets[place].heldMinor;
  const isPassed = size > of.perTransactionMinor || usedMinor + size > of.dayMinor;
  return isPassed ? 'LIMIT_EXCEEDED' : undefined;
}

const debitedBy = ({ done }: State): bigint =>
  [...done.values()].reduce(
    (sum, { amountMinor }) => (amountMinor < 0n ? sum - amountMinor : sum),
    0n,
  );

const reject = (reason: string): Decided => ({ verdict: { kind: 'rejected', reason } });

const reasonOf = (verdict: Verdict): string | undefined =>
  verdict.kind === 'rejected' ? verdict.reason : undefined;
