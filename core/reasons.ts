/**
 * Every reason for which a call is refused or fails, with the gRPC status that carries it. The
 * names are those of `digitalwallet.common.v1.ErrorReason`; a type check in platform/grpc/errors.ts
 * and a test of docs/errors.md keep the three equal.
 */
export const reasonCodes = {
  INVALID_ARGUMENT: 'INVALID_ARGUMENT',
  AMOUNT_INVALID: 'INVALID_ARGUMENT',
  CURRENCY_UNKNOWN: 'INVALID_ARGUMENT',
  USER_REQUIRED: 'INVALID_ARGUMENT',
  PAGE_TOKEN_INVALID: 'INVALID_ARGUMENT',
  EMAIL_INVALID: 'INVALID_ARGUMENT',
  PASSWORD_INVALID: 'INVALID_ARGUMENT',
  RANGE_TOO_LONG: 'INVALID_ARGUMENT',

  CREDENTIALS_MISSING: 'UNAUTHENTICATED',
  CREDENTIALS_INVALID: 'UNAUTHENTICATED',
  TOKEN_INVALID: 'UNAUTHENTICATED',
  TOKEN_EXPIRED: 'UNAUTHENTICATED',
  TOKEN_REVOKED: 'UNAUTHENTICATED',
  REFRESH_TOKEN_INVALID: 'UNAUTHENTICATED',
  EMAIL_UNVERIFIED: 'UNAUTHENTICATED',
  VERIFICATION_CODE_INVALID: 'UNAUTHENTICATED',
  TOTP_REQUIRED: 'UNAUTHENTICATED',
  TOTP_INVALID: 'UNAUTHENTICATED',

  PERMISSION_DENIED: 'PERMISSION_DENIED',
  SIGN_UP_CLOSED: 'PERMISSION_DENIED',
  STAFF_OWN_WALLET: 'PERMISSION_DENIED',
  OPERATION_NOT_ALLOWED: 'PERMISSION_DENIED',
  TOTP_ENROLMENT_REQUIRED: 'PERMISSION_DENIED',

  USER_NOT_FOUND: 'NOT_FOUND',
  TRANSACTION_NOT_FOUND: 'NOT_FOUND',
  EXPORT_NOT_FOUND: 'NOT_FOUND',
  DEAD_LETTER_NOT_FOUND: 'NOT_FOUND',
  SESSION_NOT_FOUND: 'NOT_FOUND',
  API_KEY_NOT_FOUND: 'NOT_FOUND',
  WALLET_NOT_FOUND: 'NOT_FOUND',
  PARENT_NOT_FOUND: 'NOT_FOUND',

  INSUFFICIENT_FUNDS: 'FAILED_PRECONDITION',
  BALANCE_LIMIT_EXCEEDED: 'FAILED_PRECONDITION',
  WALLET_FROZEN: 'FAILED_PRECONDITION',
  PARENT_NOT_UNDOABLE: 'FAILED_PRECONDITION',
  PARENT_ALREADY_UNDONE: 'FAILED_PRECONDITION',
  AMOUNT_MISMATCH: 'FAILED_PRECONDITION',
  WALLET_CLOCK_AHEAD: 'FAILED_PRECONDITION',
  WALLET_CORRUPT: 'FAILED_PRECONDITION',
  DEAD_LETTER_RESOLVED: 'FAILED_PRECONDITION',
  LAST_ADMIN: 'FAILED_PRECONDITION',
  API_KEY_LIMIT: 'FAILED_PRECONDITION',
  EXPORT_NOT_READY: 'FAILED_PRECONDITION',
  EXPORT_EXPIRED: 'FAILED_PRECONDITION',
  TOTP_ALREADY_ENABLED: 'FAILED_PRECONDITION',
  TOTP_NOT_ENABLED: 'FAILED_PRECONDITION',
  TOTP_NOT_BEGUN: 'FAILED_PRECONDITION',
  TOTP_UNREADABLE: 'FAILED_PRECONDITION',
  MAIL_NOT_CONFIGURED: 'FAILED_PRECONDITION',
  IDEMPOTENCY_KEY_REUSED: 'ALREADY_EXISTS',
  EMAIL_TAKEN: 'ALREADY_EXISTS',

  OVERLOADED: 'RESOURCE_EXHAUSTED',
  THROTTLED: 'RESOURCE_EXHAUSTED',
  OUTBOX_FULL: 'RESOURCE_EXHAUSTED',
  DATABASE_UNAVAILABLE: 'UNAVAILABLE',
  DATABASE_BUSY: 'ABORTED',
  AUTH_UNAVAILABLE: 'UNAVAILABLE',
  WALLET_UNAVAILABLE: 'UNAVAILABLE',
  STATEMENT_UNAVAILABLE: 'UNAVAILABLE',
  WALLET_BUSY: 'UNAVAILABLE',
  CHECKPOINT_PENDING: 'FAILED_PRECONDITION',
  SHUTTING_DOWN: 'UNAVAILABLE',
  DEADLINE_EXCEEDED: 'DEADLINE_EXCEEDED',
  CANCELLED: 'CANCELLED',
  OUTCOME_UNKNOWN: 'UNKNOWN',
  STREAM_IDLE: 'ABORTED',

  UNIMPLEMENTED: 'UNIMPLEMENTED',
  INTERNAL: 'INTERNAL',
} as const;

export type Reason = keyof typeof reasonCodes;

/**
 * An expected refusal. `metadata` holds every value that the message names; `field` is a key of it.
 */
export type Rejection = {
  readonly reason: Reason;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * The caller reached for what is not theirs, whatever the reason says: a line for the audit log.
   */
  readonly isDenial?: true;
  /** What that line says besides: it is for the log only, and in no answer. */
  readonly denied?: {
    readonly target: string;
    readonly details?: Readonly<Record<string, string>>;
  };
};

export type Result<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly rejection: Rejection };

export const succeed = <T>(value: T): Result<T> => ({ ok: true, value });

/** A refusal as a result: `refuse('AMOUNT_INVALID', 'amount …', { field: 'amount' })`. */
export const refuse = (
  reason: Reason,
  message: string,
  metadata: Readonly<Record<string, string>> = {},
): { readonly ok: false; readonly rejection: Rejection } => ({
  ok: false,
  rejection: { reason, message, metadata },
});

export function isReason(text: string): text is Reason {
  return Object.hasOwn(reasonCodes, text);
}
