export type TokenBucketLimits = {
  readonly perSecond: number;
  /** The size of the bucket: so many at once after a quiet time. */
  readonly burst: number;
  /** No action is delayed for longer. */
  readonly maxWaitMs: number;
};

export type Clock = {
  readonly nowMs: () => number;
  /** Calls back once, after about so long. */
  readonly wait: (durationMs: number, onTime: () => void) => void;
};

const checkEveryMs = 5;

/**
 * Token bucket: runs actions in order, at once while there are tokens and delayed past the rate.
 * Used for refusals: a client that has a hundred calls refused at once sends the next hundred, and
 * the server does nothing else. A call without an answer counts against the open streams of its
 * connection, so a delay is backpressure that slows the flood down.
 */
export function createTokenBucket(
  { perSecond, burst, maxWaitMs }: TokenBucketLimits,
  { nowMs, wait }: Clock,
): (act: () => void, cost?: number) => void {
  type Delayed = { readonly act: () => void; readonly cost: number; readonly latestMs: number };
  const delayed: Delayed[] = [];
  let tokens = burst;
  let countedAtMs = nowMs();

  const refill = (): number => {
    const now = nowMs();
    tokens = Math.min(burst, tokens + ((now - countedAtMs) / 1_000) * perSecond);
    countedAtMs = now;
    return now;
  };
  const check = (): void => {
    const now = refill();
    let count = 0;
    while (count < delayed.length && (tokens >= 1 || (delayed[count]?.latestMs ?? 0) <= now)) {
      // What was delayed for so long runs without a token, too.
      if (tokens >= 1) tokens -= delayed[count]?.cost ?? 1;
      count += 1;
    }
    const due = delayed.splice(0, count);
    if (delayed.length > 0) wait(checkEveryMs, check);
    for (const { act } of due) act();
  };
  return (act, cost = 1) => {
    const now = refill();
    if (delayed.length === 0 && tokens >= 1) {
      tokens -= cost;
      act();
      return;
    }
    delayed.push({ act, cost, latestMs: now + maxWaitMs });
    if (delayed.length === 1) wait(checkEveryMs, check);
  };
}
