import type { ServiceError } from '@grpc/grpc-js';

import { isReason, type Reason } from '../../core/reasons.ts';
import { exitCodeByReason } from './exit-codes.ts';
import { hintByReason } from './hints.ts';
import { nameStatusCode, status } from './status.ts';
import { decodeErrorInfo } from './error-info.ts';
import { cliReasons, exitCodes, type CliFailure, type ExitCode } from '../outcome.ts';

/** A call that did not succeed. */
export type CallFailure = {
  /** What the server said; undefined where it said nothing that we know. */
  readonly reason: Reason | undefined;
  /**
   * `refused`: certainly not done. `unsent`: it never left this machine, so not done either.
   * `unknown`: it may have been done.
   */
  readonly certainty: 'refused' | 'unsent' | 'unknown';
  /** The same call may succeed in a moment. */
  readonly isTransient: boolean;
  readonly message: string;
  readonly code: number;
  readonly requestId: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** A better hint than the reason's own. */
  readonly hint?: string;
  /** What the server gave as the reason, where this version does not know it. */
  readonly serverReason?: string;
};

export type CallResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: CallFailure };

/** Reasons after which the call may have been done all the same. */
export const unknownReasons: ReadonlySet<Reason> = new Set<Reason>([
  ...(['DEADLINE_EXCEEDED', 'CANCELLED', 'OUTCOME_UNKNOWN', 'INTERNAL'] as const),
]);

export const transientReasons: ReadonlySet<Reason> = new Set<Reason>([
  'DATABASE_UNAVAILABLE',
  'DATABASE_BUSY',
  'AUTH_UNAVAILABLE',
  'WALLET_UNAVAILABLE',
  'STATEMENT_UNAVAILABLE',
  'WALLET_BUSY',
  'SHUTTING_DOWN',
  'OUTBOX_FULL',
  'OVERLOADED',
  'STREAM_IDLE',
  'DEADLINE_EXCEEDED',
  'OUTCOME_UNKNOWN',
]);

/**
 * How to take a refusal without a reason that this version knows: the server may be a newer one, or
 * a proxy may have dropped the details. Only codes with which the call was certainly not done.
 */
const refusalByCode: ReadonlyMap<number, Refusal> = new Map<number, Refusal>([
  [status.INVALID_ARGUMENT, { reason: 'INVALID_ARGUMENT', exitCode: exitCodes.usage }],
  [status.OUT_OF_RANGE, { reason: 'INVALID_ARGUMENT', exitCode: exitCodes.usage }],
  [status.UNAUTHENTICATED, { reason: 'TOKEN_INVALID', exitCode: exitCodes.signInNeeded }],
  [status.PERMISSION_DENIED, { reason: 'PERMISSION_DENIED', exitCode: exitCodes.notAllowed }],
  [status.UNIMPLEMENTED, { reason: 'UNIMPLEMENTED', exitCode: exitCodes.unexpected }],
  [status.NOT_FOUND, { reason: undefined, exitCode: exitCodes.notFound }],
  [status.ALREADY_EXISTS, { reason: undefined, exitCode: exitCodes.refused }],
  [status.FAILED_PRECONDITION, { reason: undefined, exitCode: exitCodes.refused }],
]);

/**
 * The same for codes that the gRPC library and proxies use as well, for answers that were lost: a
 * refusal only with details, which our server alone makes.
 */
const statedRefusalByCode: ReadonlyMap<number, Refusal> = new Map<number, Refusal>([
  [status.RESOURCE_EXHAUSTED, { reason: undefined, exitCode: exitCodes.unavailable }],
  [status.ABORTED, { reason: undefined, exitCode: exitCodes.unavailable }],
  [status.UNAVAILABLE, { reason: undefined, exitCode: exitCodes.unavailable }],
]);

type Refusal = { readonly reason: Reason | undefined; readonly exitCode: ExitCode };

/**
 * Reads what the server said about a call that failed. `requestId` is the one that was sent; the
 * server uses it unless it says otherwise.
 */
export function readCallFailure(error: ServiceError, requestId: string): CallFailure {
  const info = decodeErrorInfo(error.metadata.get('grpc-status-details-bin')[0]);
  const trailer = error.metadata.get('x-request-id')[0];
  const common = {
    code: error.code,
    requestId: info?.metadata['requestId'] ?? trailer?.toString() ?? requestId,
    metadata: info?.metadata ?? {},
  };
  const httpStatus = info ? undefined : findHttpRefusal(error);
  if (httpStatus !== undefined) {
    const message = `what listens there is no gRPC server: it answered with HTTP ${httpStatus}`;
    return { ...toUnsentFailure(message), isTransient: false, code: error.code };
  }
  const message = describeError(error, info !== undefined);
  if (info !== undefined && isReason(info.reason)) {
    const { reason } = info;
    const certainty = unknownReasons.has(reason) ? 'unknown' : 'refused';
    return { ...common, reason, certainty, isTransient: transientReasons.has(reason), message };
  }
  const isOurs = info?.domain === 'digitalwallet';
  const stated = isOurs ? statedRefusalByCode.get(error.code) : undefined;
  const refusal = refusalByCode.get(error.code) ?? stated;
  return {
    ...common,
    ...{ message, reason: refusal?.reason, certainty: refusal ? 'refused' : 'unknown' },
    isTransient: stated !== undefined || isTransientCode(error.code),
    ...(info === undefined ? {} : { serverReason: info.reason }),
  };
}

/** A web server or a proxy that refused the call, and did not pass it on. */
function findHttpRefusal({ details }: ServiceError): number | undefined {
  const found = Number(/^Received HTTP status code (4\d\d)$/.exec(details)?.[1] ?? 0);
  // With these the call may have been passed on.
  return found === 0 || found === 408 || found === 499 ? undefined : found;
}

/** The connection was never there. */
export function toUnsentFailure(message: string): CallFailure {
  return {
    reason: undefined,
    certainty: 'unsent',
    isTransient: true,
    message,
    code: status.UNAVAILABLE,
    requestId: undefined,
    metadata: {},
  };
}

/** The answer did not come, or was none. */
export const toLostFailure = (message: string): CallFailure => ({
  ...toUnsentFailure(message),
  certainty: 'unknown',
});

/**
 * A failed call as a failure to print. What is unknown ends a `write` with 9 and a `read`, which
 * changes nothing, with 7.
 */
export function toCliFailure(failure: CallFailure, kind: 'read' | 'write'): CliFailure {
  const { reason, requestId, metadata } = failure;
  const message = addWait(failure);
  const field = metadata['field'];
  const { serverReason } = failure;
  const common = {
    message,
    ...(serverReason === undefined ? {} : { serverReason }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(field === undefined ? {} : { field }),
  };
  if (failure.certainty === 'unsent') {
    return {
      ...common,
      reason: 'UNREACHABLE',
      exitCode: cliReasons.UNREACHABLE,
      hint: 'check that walletd runs there and whether it requires --tls, or use another server: --server HOST:PORT',
    };
  }
  if (reason === undefined && failure.certainty === 'refused') {
    const refusal = refusalByCode.get(failure.code) ?? statedRefusalByCode.get(failure.code);
    const exitCode = refusal?.exitCode ?? cliReasons.REFUSED;
    return { ...common, reason: 'REFUSED', exitCode, hint: newerServerHint };
  }
  if (reason === undefined) {
    const isWrite = kind === 'write';
    return {
      ...common,
      reason: failure.code === status.DEADLINE_EXCEEDED ? 'DEADLINE_EXCEEDED' : 'CONNECTION_LOST',
      exitCode: isWrite ? exitCodes.outcomeUnknown : exitCodes.unavailable,
      hint: 'run the command again',
    };
  }
  const exitCode = exitCodeByReason[reason];
  const hint = nameWallet(failure.hint ?? hintByReason[reason], metadata);
  return {
    ...common,
    reason,
    exitCode:
      kind === 'read' && exitCode === exitCodes.outcomeUnknown ? exitCodes.unavailable : exitCode,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** The refusal concerns another wallet than the command names, or one that it names by a hold. */
function nameWallet(
  hint: string | undefined,
  { userId, currency }: CallFailure['metadata'],
): string | undefined {
  if (userId === undefined) return hint;
  const named = `--user ${userId}${currency === undefined ? '' : ` --currency ${currency}`}`;
  return hint === 'wallet balance' ? `${hint} ${named}` : hint?.replace('--user USER', named);
}

const newerServerHint =
  'this version of wallet does not know this refusal: a newer one may say more';

/** How long a throttled caller has to wait, where the server's message does not say it. */
function addWait({ reason, message, metadata }: CallFailure): string {
  const seconds = metadata['retryAfterSeconds'] ?? '';
  const isSaid = reason !== 'THROTTLED' || !/^[0-9]{1,9}$/.test(seconds);
  if (isSaid || message.includes(seconds)) return message;
  const minutes = Math.ceil(Number(seconds) / 60);
  return `${message} (wait ${Number(seconds) < 120 ? `${seconds} s` : `${minutes} min`})`;
}

function describeError({ code, details }: ServiceError, isFromServer: boolean): string {
  if (details === '') return `the call ended with ${nameStatusCode(code)}`;
  // The library's own, with the state of its load balancer.
  const isOwn = !isFromServer && /^Deadline exceeded/.test(details);
  return isOwn ? 'the server did not answer in time' : details;
}

const isTransientCode = (code: number): boolean =>
  code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED || code === status.UNKNOWN;
