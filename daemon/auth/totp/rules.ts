import { skewSteps, stepAt } from './codes.ts';

const maxFailures = 5;
const failureWindowMs = 15 * 60_000;
/** How long a secret that was given out waits for its first code. */
export const enrolmentLifeMs = 15 * 60_000;

export type Failures = {
  /** The wrong codes that count now, the oldest first. */
  readonly recentMs: readonly number[];
  /** 0 if a code may be tried now. */
  readonly waitSeconds: number;
  /** The database's clock went back behind a stored time, which no longer counts. */
  readonly hasFutureTime: boolean;
};

/**
 * Whether another code may be tried: at most 5 wrong ones in any 15 minutes. A stored time later
 * than now cannot be right, and would block for longer than 15 minutes: it does not count.
 */
export function checkFailures(failedAtMs: readonly number[], nowMs: number): Failures {
  const recentMs = failedAtMs.filter((atMs) => atMs <= nowMs && atMs > nowMs - failureWindowMs);
  const oldestOfLimit = recentMs.at(-maxFailures);
  const waitMs = oldestOfLimit === undefined ? 0 : oldestOfLimit + failureWindowMs - nowMs;
  return {
    recentMs,
    waitSeconds: Math.ceil(waitMs / 1000),
    hasFutureTime: failedAtMs.some((atMs) => atMs > nowMs),
  };
}

/**
 * The last used step that a new code must come after. One that no code of now could have is left by
 * a clock that went back: it does not count, or its owner would be locked out until then.
 */
export function checkLastStep(
  lastStep: number | undefined,
  nowMs: number,
): { readonly lastStep: number | undefined; readonly isFuture: boolean } {
  const isFuture = lastStep !== undefined && lastStep > stepAt(nowMs) + skewSteps;
  return { lastStep: isFuture ? undefined : lastStep, isFuture };
}

/** Whether a secret that was given out may still be confirmed; a time later than now is invalid. */
export function isEnrolmentOpen(begunAtMs: number, nowMs: number): boolean {
  return begunAtMs <= nowMs && nowMs < begunAtMs + enrolmentLifeMs;
}
