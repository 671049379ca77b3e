import type { Refused, Unknown } from './history.ts';

/** What docs/errors.md says of a reason: the transaction may have been done. */
const unknown: ReadonlySet<string> = new Set([
  'OUTCOME_UNKNOWN',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'INTERNAL',
  'STREAM_IDLE',
  'CONNECTION_LOST',
  'LOCK_LOST',
  'INTERRUPTED',
  'UNEXPECTED',
]);

/** Refusals that depend on the state of the wallet: each is true at one moment of its call. */
const ofLedger: ReadonlySet<string> = new Set([
  'INSUFFICIENT_FUNDS',
  'BALANCE_LIMIT_EXCEEDED',
  'PARENT_NOT_FOUND',
  'PARENT_NOT_UNDOABLE',
  'PARENT_ALREADY_UNDONE',
  'UNDO_EXCEEDS_PARENT',
  'HOLD_NOT_FOUND',
  'HOLD_CLOSED',
  'HOLD_EXPIRED',
  'CAPTURE_EXCEEDS_HOLD',
  'LIMIT_EXCEEDED',
  'GROUP_ABORTED',
  'IDEMPOTENCY_KEY_REUSED',
]);

/** True for a refusal that the state of the wallet must explain. */
export const isLedgerRefusal = (reason: string): boolean => ofLedger.has(reason);

/**
 * What an answer other than a transaction says: `code …`, as client libraries report a failed
 * connection, an empty reason and the reasons above leave the outcome unknown.
 */
export function outcomeOfReason(reason: string, balanceMinor?: bigint): Refused | Unknown {
  const isUnknown = reason === '' || reason.startsWith('code ') || unknown.has(reason);
  return isUnknown ? { kind: 'unknown', reason } : { kind: 'refused', reason, balanceMinor };
}
