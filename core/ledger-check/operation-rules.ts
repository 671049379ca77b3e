import { externalPrefix } from '../contra-account.ts';
import { hasParent, isUndo, ofHold, operationOfCode, type Operation } from '../operations.ts';
import { readExpiry } from './holds.ts';
import { namesOther } from './pairs.ts';
import { readAmount, readId, readMetadata, readUuid, toTimeMs, type EntryRow } from './rows.ts';
import type { State } from './state.ts';
import type { CheckListener, LedgerFinding } from './types.ts';

const userPrefix = 'user:';
const merchantPrefix = 'merchant';
/** How the contra account of an operation may begin; that of a child is its parent's. */
const prefixes: Readonly<Record<Operation, readonly string[]>> = {
  deposit: [externalPrefix],
  withdraw: [externalPrefix],
  purchase: [merchantPrefix],
  reversal: [''],
  cancellation: [''],
  transfer: [userPrefix],
  hold: [externalPrefix, merchantPrefix, userPrefix],
  // What comes to the payee's wallet; the payer's has the account of the hold.
  capture: [userPrefix],
  release: [''],
  fee: [externalPrefix],
};

type Report = (kind: LedgerFinding['kind'], detail: string) => void;

/**
 * Holds an entry against the rules of its operation, as far as they concern it alone, and gives the
 * listener what has to be held against other entries. `state` is that before the entry.
 */
export function checkOperation(state: State, row: EntryRow, listener: CheckListener): void {
  const operation = operationOfCode(row.operation);
  const { id: walletId, wallet } = state;
  const report: Report = (kind, detail) =>
    listener.report({ walletId, seq: BigInt(row.seq), kind, detail });
  const amount = Number.isNaN(row.amount) ? readAmount(row) : row.amount;
  if (row.isOfSystem && operation !== 'release') report('hold', `a ${operation} by walletd itself`);
  if (!hasAmount(operation, amount)) report('amount', `a ${operation} has the amount ${amount}`);
  if (!fitsReserved(operation, amount, row)) {
    report('held', `a ${operation} of ${amount} reserves ${row.heldMinor}`);
  }
  if (isUndo(operation) || (ofHold(operation) && !isOfPayee(operation, amount))) {
    askParent(operation, state, row, listener, report);
  } else checkAlone(operation, row, report);
  if (operation === 'hold') askHold(walletId, row, listener, report);
  if (!startsWith(row, userPrefix)) return;
  if (!namesOther(contraAccountOf(row), wallet?.userId)) {
    report('account', `its contra account ${contraAccountOf(row)} is no other user's`);
  } else if (wallet && Number(amount) !== 0) listener.onPair?.(row, wallet);
}

type Amount = number | bigint;

/** What a capture pays comes to the other user's wallet as a capture, too. */
const isOfPayee = (operation: Operation, amount: Amount): boolean =>
  operation === 'capture' && amount > 0;

/** Whether the sign of an amount is right. */
function hasAmount(operation: Operation, amount: Amount): boolean {
  if (operation === 'hold' || operation === 'release') return Number(amount) === 0;
  // An undo has the opposite one of its parent.
  if (hasParent(operation) || operation === 'transfer') return Number(amount) !== 0;
  return operation === 'deposit' ? amount > 0 : amount < 0;
}

/** Whether an entry reserves or releases what its operation does. */
function fitsReserved(operation: Operation, amount: Amount, { heldMinor }: EntryRow): boolean {
  if (operation === 'hold') return heldMinor > 0n;
  if (operation === 'release') return heldMinor < 0n;
  if (operation === 'capture' && amount < 0) return heldMinor < 0n && heldMinor <= BigInt(amount);
  return heldMinor === 0n;
}

function askParent(
  operation: Operation,
  state: State,
  row: EntryRow,
  { onChild }: CheckListener,
  report: Report,
): void {
  const { parentAt, heldMinor, parentUsedMinor, parentAmountMinor, isOfSystem } = row;
  if (parentAt < 0) {
    report('parent', `a ${operation} has no parent`);
    return;
  }
  onChild({
    ...{ walletId: state.id, seq: BigInt(row.seq), id: readId(row), operation: row.operation },
    ...{ amountMinor: readAmount(row), heldMinor, parentUsedMinor, parentAmountMinor, isOfSystem },
    contraAccount: contraAccountOf(row),
    parentId: readUuid(row.bytes, parentAt),
    occurredAtMs: toTimeMs(row.micros),
    lastOtherMs: toTimeMs(state.otherMicros),
  });
}

function checkAlone(operation: Operation, row: EntryRow, report: Report): void {
  const { parentAt, parentUsedMinor, parentAmountMinor } = row;
  const isChild = parentAt >= 0 || parentUsedMinor !== 0n || parentAmountMinor !== 0n;
  if (isChild) report('parent', `a ${operation} has a parent`);
  if (!prefixes[operation].some((prefix) => startsWith(row, prefix))) {
    report('account', `a ${operation} has the contra account ${contraAccountOf(row)}`);
  }
}

function askHold(walletId: string, row: EntryRow, { onHold }: CheckListener, report: Report): void {
  const expiresAtMs = readExpiry(readMetadata(row));
  const placedAtMs = toTimeMs(row.micros);
  if (expiresAtMs === undefined) report('hold', 'it does not say when it expires');
  else if (expiresAtMs <= placedAtMs) report('hold', 'it had expired when it was placed');
  onHold?.({
    ...{ walletId, seq: BigInt(row.seq), id: readId(row), amountMinor: row.heldMinor },
    ...{ contraAccount: contraAccountOf(row), placedAtMs, expiresAtMs },
  });
}

const contraAccountOf = ({ bytes, contraAt, contraEnd }: EntryRow): string =>
  bytes.toString('utf8', contraAt, contraEnd);

function startsWith({ bytes, contraAt, contraEnd }: EntryRow, prefix: string): boolean {
  if (contraEnd - contraAt < prefix.length) return false;
  for (let i = 0; i < prefix.length; i += 1) {
    if (bytes[contraAt + i] !== prefix.charCodeAt(i)) return false;
  }
  return true;
}
