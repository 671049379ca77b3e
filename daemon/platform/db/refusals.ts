import { refuse, type Rejection, type Result } from '../../../core/reasons.ts';
import { isCommitInDoubt, sqlStateOf } from './db.ts';

/**
 * The refusal for what `classifyDbError` calls transient: OUTCOME_UNKNOWN where the answer to
 * COMMIT was lost, DATABASE_BUSY where the database answered and was in the way, otherwise
 * DATABASE_UNAVAILABLE.
 */
export function refuseTransient(err: unknown): Result<never> & { readonly rejection: Rejection } {
  if (isCommitInDoubt(err)) return inDoubt;
  return isDatabaseBusy(err) ? databaseBusy : databaseUnavailable;
}

/**
 * The database answered, and did not do it: a statement that took too long or was cancelled
 * (57014), a lock that was not had in time, a deadlock, a conflict, a transaction that was idle for
 * too long.
 */
export const isDatabaseBusy = (err: unknown): boolean =>
  !isCommitInDoubt(err) && /^(57014|55P03|25P03|40)/.test(sqlStateOf(err) ?? '');

export const databaseUnavailable = refuse(
  'DATABASE_UNAVAILABLE',
  'the database is unavailable: nothing was done, try again',
);

export const databaseBusy = refuse(
  'DATABASE_BUSY',
  'the database did not finish this in time, or another transaction was in the way: nothing was done, ' +
    'try again',
);

const inDoubt = refuse(
  'OUTCOME_UNKNOWN',
  'the database was lost during the commit: look before you try again',
);
