import type { CallFailure, CallResult } from './errors.ts';

/** The parts of the world that a repeated call needs. */
export type Clock = {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds by the monotonic clock, for durations and deadlines within this process. */
  readonly elapsed: () => number;
  readonly sleep: (durationMs: number) => Promise<void>;
};

export type RepeatedResult<T> = {
  readonly result: CallResult<T>;
  /** An attempt before the last may have been done. */
  readonly hadUnknownAttempt: boolean;
};

const maxRefusedAttempts = 3;

/**
 * Calls until there is an answer, within `timeoutMs` altogether. What is unknown is asked again
 * until the time is up, since the call names itself by a key or changes nothing; a refusal for the
 * moment at most three times, no earlier than the server says; a failed connection only if an
 * earlier attempt got through.
 */
export async function callRepeatedly<T>(
  attempt: (deadlineMs: number) => Promise<CallResult<T>>,
  options: { readonly timeoutMs: number; readonly attemptMs: number; readonly clock: Clock },
): Promise<RepeatedResult<T>> {
  const { timeoutMs, attemptMs, clock } = options;
  const endMs = clock.elapsed() + timeoutMs;
  let hadUnknownAttempt = false;
  for (let count = 1; ; count += 1) {
    const beganAtMs = clock.elapsed();
    const result = await attempt(Math.min(endMs, beganAtMs + attemptMs));
    const pauseMs = result.ok ? 0 : pauseAfter(result.failure, count);
    // What was refused after a while would not be answered sooner: cut short, its outcome was
    // unknown.
    const isRefused = !result.ok && result.failure.certainty === 'refused';
    const neededMs = isRefused && !hadUnknownAttempt ? clock.elapsed() - beganAtMs : 0;
    const hasTime = clock.elapsed() + pauseMs + neededMs < endMs;
    if (result.ok || !hasTime || !isWorthAnother(result.failure, count, hadUnknownAttempt)) {
      return { result, hadUnknownAttempt };
    }
    hadUnknownAttempt ||= result.failure.certainty === 'unknown';
    await clock.sleep(pauseMs);
  }
}

/** Longer each time, never shorter than the server asks for, and not the same for all who ask. */
function pauseAfter({ metadata }: CallFailure, count: number): number {
  const asked = metadata['retryAfterMs'] ?? '';
  const askedMs = /^[0-9]{1,6}$/.test(asked) ? Number(asked) : 0;
  const leastMs = Math.max(askedMs, 0.75 * Math.min(200 * 2 ** (count - 1), 2000));
  return leastMs * (1 + Math.random() * 0.25);
}

function isWorthAnother(failure: CallFailure, count: number, hadUnknownAttempt: boolean): boolean {
  if (!failure.isTransient) return false;
  switch (failure.certainty) {
    case 'unknown':
      return true;
    case 'refused':
      return hadUnknownAttempt || count < maxRefusedAttempts;
    case 'unsent':
      return hadUnknownAttempt;
  }
}
