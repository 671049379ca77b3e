import { reasonCodes, type Reason, type Rejection } from '../../../core/reasons.ts';
import { nameField, translateFields, type FieldNames } from './field-names.ts';

type Code = (typeof reasonCodes)[Reason];

/** The HTTP status of each gRPC code; `statusOfReason` has the exceptions. */
const statusOfCode: Readonly<Record<Code, number>> = {
  INVALID_ARGUMENT: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  FAILED_PRECONDITION: 409,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 503,
  UNAVAILABLE: 503,
  ABORTED: 503,
  DEADLINE_EXCEEDED: 504,
  UNKNOWN: 504,
  // The client has gone: no one reads this answer.
  CANCELLED: 499,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
};

const statusOfReason: Readonly<Partial<Record<Reason, number>>> = {
  IDEMPOTENCY_KEY_REUSED: 422,
  THROTTLED: 429,
};

/** Faults of HTTP itself, which have no reason of the services. */
export const httpFaults = {
  BODY_TOO_LARGE: { status: 413, title: 'Body too large' },
  HEADERS_TOO_LARGE: { status: 431, title: 'Headers too large' },
  IDEMPOTENCY_KEY_REQUIRED: { status: 400, title: 'Idempotency key required' },
  JSON_INVALID: { status: 400, title: 'Invalid JSON' },
  MEDIA_TYPE_UNSUPPORTED: { status: 415, title: 'Unsupported media type' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'Method not allowed' },
  NOT_ACCEPTABLE: { status: 406, title: 'Not acceptable' },
  ORIGIN_REFUSED: { status: 403, title: 'Origin refused' },
  HOST_UNKNOWN: { status: 421, title: 'Host unknown' },
  RANGE_NOT_SATISFIABLE: { status: 416, title: 'Range not satisfiable' },
  REQUEST_MALFORMED: { status: 400, title: 'Malformed request' },
  REQUEST_TIMEOUT: { status: 408, title: 'Request timeout' },
  ROUTE_NOT_FOUND: { status: 404, title: 'Route not found' },
  URI_INVALID: { status: 400, title: 'Invalid URI' },
} as const;

export type HttpFault = keyof typeof httpFaults;
export type ProblemReason = Reason | HttpFault;

/** Why a request was not answered with what it asks for. */
export type Fault = {
  readonly reason: ProblemReason;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Found by the gateway: it names fields as they were sent. */
  readonly isOfGateway?: true;
};

export type Found<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: Fault };

export const found = <T>(value: T): Found<T> => ({ ok: true, value });

/** An answer of RFC 9457, with our members. */
export type Problem = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** `urn:uuid:…` where the request id is a UUID, otherwise `urn:request:…`. */
  readonly instance: string;
  readonly reason: ProblemReason;
  readonly field?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly requestId: string;
  readonly retryAfterMs?: number;
  /** `unknown`: something may have been done. Send the same request with the same key again. */
  readonly outcome?: 'unknown';
};

export const isHttpFault = (reason: string): reason is HttpFault =>
  Object.hasOwn(httpFaults, reason);

/** The status with which a reason is answered; `ownStatuses`: those of a route. */
export function statusOf(
  reason: ProblemReason,
  ownStatuses: Readonly<Partial<Record<ProblemReason, number>>> = {},
): number {
  const ownStatus = ownStatuses[reason];
  if (ownStatus !== undefined) return ownStatus;
  if (isHttpFault(reason)) return httpFaults[reason].status;
  return statusOfReason[reason] ?? statusOfCode[reasonCodes[reason]];
}

/** `INSUFFICIENT_FUNDS` as people read it: `Insufficient funds`. */
export function titleOf(reason: ProblemReason): string {
  if (isHttpFault(reason)) return httpFaults[reason].title;
  const words = reason.toLowerCase().replaceAll('_', ' ').replace('totp', 'TOTP');
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

/** A fault that is found before a service is called. */
export const fault = (
  reason: ProblemReason,
  message: string,
  metadata: Readonly<Record<string, string>> = {},
): Fault => ({ reason, message, metadata, isOfGateway: true });

/** How a route answers in its own way. */
type Ways = {
  readonly problemStatuses?: Readonly<Partial<Record<ProblemReason, number>>>;
  readonly fieldNames?: FieldNames;
};

/** What is answered: `cause` is a service's rejection, or one of HTTP. */
export function toProblem(
  cause: Fault | Rejection,
  requestId: string,
  { problemStatuses, fieldNames }: Ways = {},
): Problem {
  const { reason, metadata } = cause;
  const isTranslated = !('isOfGateway' in cause);
  const message = isTranslated ? translateFields(cause.message, fieldNames) : cause.message;
  const { field, ...others } = metadata;
  const status = statusOf(reason, problemStatuses);
  const retryAfterMs = findRetryAfterMs(metadata, status);
  const isUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(requestId);
  return {
    type: `/docs/errors#${reason}`,
    title: titleOf(reason),
    status,
    detail: message,
    instance: isUuid ? `urn:uuid:${requestId}` : `urn:request:${requestId}`,
    reason,
    ...(field === undefined ? {} : { field: isTranslated ? nameField(field, fieldNames) : field }),
    ...(Object.keys(others).length === 0 ? {} : { metadata: others }),
    requestId,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(unknownOutcomes.has(reason) ? { outcome: 'unknown' } : {}),
  };
}

/** What was asked for may have been done all the same. */
const unknownOutcomes: ReadonlySet<ProblemReason> = new Set<ProblemReason>([
  ...(['OUTCOME_UNKNOWN', 'DEADLINE_EXCEEDED'] as const),
]);

/** A refusal that passes by itself says when to come back. */
function findRetryAfterMs(
  { retryAfterMs, retryAfterSeconds }: Readonly<Record<string, string>>,
  status: number,
): number | undefined {
  if (retryAfterSeconds !== undefined) return Number(retryAfterSeconds) * 1_000;
  if (retryAfterMs !== undefined) return Number(retryAfterMs);
  // Not all at the same moment.
  return status === 503 ? 500 + Math.floor(Math.random() * 1_000) : undefined;
}
