import { resolvesInDoubt } from '../core/in-doubt.ts';

/** How an attempt failed, as far as it matters for another one. */
export type Failure =
  /** No answer. `wasSent`: the server may have got the request. */
  | { readonly kind: 'no-answer'; readonly wasSent: boolean }
  /** An answer that is none of this API has no reason. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly reason?: string | undefined;
      readonly retryAfterMs?: number | undefined;
    };

export type RetryState = {
  /** A repetition has no effect beyond that of one request: a read, or one under one key. */
  readonly isRepeatable: boolean;
  /** Attempts so far, from 1. */
  readonly attempts: number;
  readonly maxAttempts: number;
  /** Until the deadline of the whole call. */
  readonly leftMs: number;
  readonly failure: Failure;
  /** At least 0, below 1. */
  readonly jitter: number;
};

export type RetryDecision =
  { readonly isAgain: true; readonly delayMs: number } | { readonly isAgain: false };

const firstDelayMs = 200;
const maxDelayMs = 5_000;
/** The server, or a proxy before it, says that it may work later. */
const passingStatuses: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

/** Whether to send the request again, and when: not before the server says, nor too late. */
export function decideRetry(state: RetryState): RetryDecision {
  const { isRepeatable, attempts, maxAttempts, leftMs, failure, jitter } = state;
  if (!isRepeatable || attempts >= maxAttempts) return { isAgain: false };
  if (failure.kind === 'refused' && !passingStatuses.has(failure.status)) return { isAgain: false };
  const fullMs = Math.min(firstDelayMs * 2 ** (attempts - 1), maxDelayMs);
  const ownMs = Math.round(fullMs / 2 + (fullMs / 2) * jitter);
  const askedMs = failure.kind === 'refused' ? (failure.retryAfterMs ?? 0) : 0;
  const delayMs = Math.max(ownMs, askedMs);
  return delayMs < leftMs ? { isAgain: true, delayMs } : { isAgain: false };
}

/** Reasons of a server that does not know what became of the request. */
const unknownReasons: ReadonlySet<string> = new Set([
  ...['OUTCOME_UNKNOWN', 'DEADLINE_EXCEEDED', 'CANCELLED', 'INTERNAL'],
]);

/** Whether the request may have been carried out, after a failure of an attempt at it. */
function mayBeDone(failure: Failure): boolean {
  if (failure.kind === 'no-answer') return failure.wasSent;
  const { status, reason } = failure;
  return reason === undefined ? status >= 500 || status === 408 : unknownReasons.has(reason);
}

/**
 * Whether it is unknown if the request was carried out, given that from the attempts before. Only
 * an answer of the ledger ends a doubt: that a later attempt did not reach the server says nothing
 * about an earlier one.
 */
export function isInDoubt(wasInDoubt: boolean, failure: Failure): boolean {
  if (failure.kind === 'refused' && resolvesInDoubt(failure.reason)) return false;
  return wasInDoubt || mayBeDone(failure);
}
