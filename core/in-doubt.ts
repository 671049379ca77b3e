import { isReason, type Reason } from './reasons.ts';

/**
 * Whether a refusal with this reason resolves an in-doubt commit: an earlier attempt at the same
 * transaction, under the same idempotency key, whose outcome is unknown.
 *
 * The ledger looks for the key before it decides anything else. One whose COMMIT hangs (a
 * synchronous standby that does not answer) keeps its wallet locked until it ends, or its wallet's
 * opening. The ledger refuses on the state of a wallet only while it holds the wallet itself, or
 * after it has found that the wallet is not being opened; else the answer is WALLET_BUSY. So no
 * refusal that rests on the wallet's state comes while an earlier attempt may yet be committed.
 *
 * `WALLET_CLOCK_AHEAD` rests on the clock of the database, not on the wallet alone: the clock may
 * step back between the two, so it ends nothing. Nor does anything that is decided before the
 * ledger is asked: rights, limits, arguments, the person's account. And what a server says about
 * itself (it is overloaded, stops, has lost its database) says nothing about what another server
 * did.
 *
 * What this cannot rule out is an attempt that was not begun yet, on a server that was stopped for
 * a while. So a client keeps the key also after a refusal: under it, nothing is done twice.
 */
const resolvesByReason: Readonly<Record<Reason, boolean>> = {
  // By the ledger: another transaction has the key, or the parent, permanently.
  IDEMPOTENCY_KEY_REUSED: true,
  PARENT_ALREADY_UNDONE: true,
  // By the ledger: what the transaction itself says will not do.
  PARENT_NOT_FOUND: true,
  PARENT_NOT_UNDOABLE: true,
  AMOUNT_MISMATCH: true,
  UNDO_EXCEEDS_PARENT: true,
  // By the ledger: on the state of the wallet.
  INSUFFICIENT_FUNDS: true,
  BALANCE_LIMIT_EXCEEDED: true,
  WALLET_FROZEN: true,
  WALLET_CLOSED: true,

  // By the ledger, on the clock besides.
  WALLET_CLOCK_AHEAD: false,
  // Any of the reasons of the payee's wallet, also its clock.
  RECIPIENT_UNAVAILABLE: false,
  // By the ledger, on a wallet that contradicts itself, or is not to be had.
  WALLET_CORRUPT: false,
  WALLET_BUSY: false,
  // Before the ledger is asked.
  TRANSFER_TO_SELF: false,
  RECIPIENT_NOT_FOUND: false,
  // Of closing a wallet, which is no transaction.
  WALLET_NOT_EMPTY: false,
  // Of terms, which are no transaction.
  TERMS_CHANGED: false,
  // By the ledger, in the order of time: a hold that ended stays ended.
  HOLD_NOT_FOUND: false,
  HOLD_CLOSED: false,
  HOLD_EXPIRED: false,
  CAPTURE_EXCEEDS_HOLD: false,
  HOLD_LIMIT_EXCEEDED: false,
  LIMIT_EXCEEDED: false,
  DEBIT_TOTAL_EXCEEDED: false,
  GROUP_ABORTED: false,
  IDEMPOTENCY_KEY_REQUIRED: false,

  // Before the ledger is asked. The ledger has a reason of this name too: same answer, no proof.
  INVALID_ARGUMENT: false,
  AMOUNT_INVALID: false,
  CURRENCY_UNKNOWN: false,
  USER_REQUIRED: false,
  PAGE_TOKEN_INVALID: false,
  EMAIL_INVALID: false,
  PASSWORD_INVALID: false,
  RANGE_TOO_LONG: false,
  CREDENTIALS_MISSING: false,
  CREDENTIALS_INVALID: false,
  TOKEN_INVALID: false,
  TOKEN_EXPIRED: false,
  TOKEN_REVOKED: false,
  REFRESH_TOKEN_INVALID: false,
  EMAIL_UNVERIFIED: false,
  VERIFICATION_CODE_INVALID: false,
  TOTP_REQUIRED: false,
  TOTP_INVALID: false,
  PERMISSION_DENIED: false,
  SIGN_UP_CLOSED: false,
  STAFF_OWN_WALLET: false,
  OPERATION_NOT_ALLOWED: false,
  TOTP_ENROLMENT_REQUIRED: false,
  USER_NOT_FOUND: false,
  THROTTLED: false,

  // About other things than transactions.
  TRANSACTION_NOT_FOUND: false,
  EXPORT_NOT_FOUND: false,
  DEAD_LETTER_NOT_FOUND: false,
  SESSION_NOT_FOUND: false,
  API_KEY_NOT_FOUND: false,
  WALLET_NOT_FOUND: false,
  EMAIL_TAKEN: false,
  DEAD_LETTER_RESOLVED: false,
  LAST_ADMIN: false,
  API_KEY_LIMIT: false,
  EXPORT_NOT_READY: false,
  EXPORT_EXPIRED: false,
  CHECKPOINT_PENDING: false,
  TOTP_ALREADY_ENABLED: false,
  TOTP_NOT_ENABLED: false,
  TOTP_NOT_BEGUN: false,
  TOTP_UNREADABLE: false,
  MAIL_NOT_CONFIGURED: false,

  // A server about itself.
  OVERLOADED: false,
  OUTBOX_FULL: false,
  DATABASE_UNAVAILABLE: false,
  DATABASE_BUSY: false,
  AUTH_UNAVAILABLE: false,
  WALLET_UNAVAILABLE: false,
  STATEMENT_UNAVAILABLE: false,
  SHUTTING_DOWN: false,
  STREAM_IDLE: false,
  UNIMPLEMENTED: false,

  // The outcome is unknown.
  DEADLINE_EXCEEDED: false,
  CANCELLED: false,
  OUTCOME_UNKNOWN: false,
  INTERNAL: false,
};

/** As the table says; what this program does not know ends nothing. */
export const resolvesInDoubt = (reason: string | undefined): boolean =>
  reason !== undefined && isReason(reason) && resolvesByReason[reason];
