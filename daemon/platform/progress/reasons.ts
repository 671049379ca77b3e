import { classifyDbError, sqlStateOf } from '../db/db.ts';
import { findStateFault } from '../db/connection/state-faults.ts';
import { findTransientRejection } from '../transient-rejection.ts';
import { describeMailFailure } from '../mail/mail.ts';
import { hasPublicMessage } from './public-error.ts';

/** Why something cannot be done now, for an operator: no address, no secret, no data. */
export function describeTrouble(err: unknown): string {
  const held = findTransientRejection(err);
  if (held) return held.message;
  if (hasPublicMessage(err)) return err.message;
  const state = sqlStateOf(err);
  if (state === '55P03') return 'the database: a lock is held by another session (55P03)';
  if (state === '57014') return 'the database does not finish a statement in time (57014)';
  const fault = findStateFault(err);
  if (fault) return `the database: ${fault.fault}; ${fault.hint} (SQLSTATE ${state ?? ''})`;
  if (state !== undefined) return `the database answers with SQLSTATE ${state}`;
  if (classifyDbError(err) === 'transient') return 'the database is unavailable';
  return 'an unexpected error, which is in the log';
}

/** Why a mail was not sent; without the words of the server, which quote addresses. */
export function describeMailTrouble(err: unknown): string {
  const { code, response } = describeMailFailure(err);
  if (code === 'EAUTH') return 'the SMTP server refuses the user or the password of SMTP_URL';
  if (response !== undefined) return `the SMTP server refuses: ${response} (${code})`;
  if (code === 'ETIMEDOUT') return 'the SMTP server does not answer (ETIMEDOUT)';
  return `the SMTP server is unavailable (${code})`;
}
