import type { ServerReason } from './gen/api.ts';

/** Why there is no answer of the server. */
export type ClientReason =
  /** The server could not be reached, or the connection was lost. */
  | 'CONNECTION_FAILED'
  /** The time of the call was over. */
  | 'TIMED_OUT'
  /** The caller's signal was aborted. */
  | 'CANCELLED'
  /** What came is not an answer of this API: is there another server at `baseUrl`? */
  | 'ANSWER_INVALID';

/** Later servers may have reasons that this client does not know: hence the `string`. */
export type ProblemReason = ServerReason | ClientReason | (string & {});

export type ProblemDetails = {
  readonly reason: ProblemReason;
  readonly message: string;
  readonly status?: number | undefined;
  readonly field?: string | undefined;
  readonly hint?: string | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly isOutcomeUnknown?: boolean | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly cause?: unknown;
};

/** Thrown by every method that does not get what it asks for. */
export class WalletProblem extends Error {
  override readonly name: string = 'WalletProblem';
  readonly reason: ProblemReason;
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** The field of the request that is wrong. */
  readonly field: string | undefined;
  /** What to do about it. */
  readonly hint: string | undefined;
  /** Names the request in the log of the server. */
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** Values that the message names. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * The request may have been carried out. The same call with the same `idempotencyKey` finds out,
   * and does it at most once.
   */
  readonly isOutcomeUnknown: boolean;
  /** The key of a call that has one: the caller's, or that which the client made. */
  readonly idempotencyKey: string | undefined;

  constructor(details: ProblemDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = details.reason;
    this.status = details.status ?? 0;
    this.field = details.field;
    this.hint = details.hint;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
    this.metadata = details.metadata ?? {};
    this.isOutcomeUnknown = details.isOutcomeUnknown ?? false;
    this.idempotencyKey = details.idempotencyKey;
  }
}

type Json = Readonly<Record<string, unknown>>;

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** The problem in an answer (RFC 9457); an answer without one becomes `ANSWER_INVALID`. */
export function readProblem(response: Response, text: string): ProblemDetails {
  const { status, headers } = response;
  const retryAfterMs = readRetryAfter(headers.get('retry-after'), Date.now());
  const body = parseObject(text);
  const reason = textOf(body?.['reason']);
  if (!body || reason === undefined) {
    const message = `${response.url} answered with status ${status} and no problem of this API`;
    const hint = 'check baseUrl, and what a proxy before the server answers';
    return { reason: 'ANSWER_INVALID', message, hint, status, retryAfterMs };
  }
  const { retryAfterMs: exact } = body;
  return {
    reason,
    message: textOf(body['detail']) ?? reason,
    status,
    field: textOf(body['field']),
    hint: textOf(body['hint']) ?? hints[reason],
    requestId: textOf(body['requestId']),
    retryAfterMs: typeof exact === 'number' && exact >= 0 ? exact : retryAfterMs,
    metadata: readMetadata(body['metadata']),
  };
}

const hints: Readonly<Record<string, string>> = {
  TOKEN_EXPIRED: 'give the client onToken, which it asks for another token',
  IDEMPOTENCY_KEY_REUSED: 'a key belongs to one transaction for ever: take a new one',
};

export function parseObject(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

function readMetadata(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  const entries = Object.entries(value).filter(([, text]) => typeof text === 'string');
  return Object.fromEntries(entries);
}

/** `Retry-After` (RFC 9110, 10.2.3), seconds or a time, in milliseconds from now. */
function readRetryAfter(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,6}$/.test(header.trim())) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
