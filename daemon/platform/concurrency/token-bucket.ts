export type TokenBucketLimits = {
  readonly perSecond: number;
  /** So many at once after a quiet time. */
  readonly burst: number;
  /** Nothing is put off for longer, however much there is. */
  readonly maxWaitMs: number;
};

type Clock = {
  readonly nowMs: () => number;
  /** Calls back once, after about so long. */
  readonly wait: (durationMs: number, onTime: () => void) => void;
};

const checkEveryMs = 5;

/**
 * Does what it is given in order: at once while there is little, and past a rate a little later.
 * For refusals: whoever has a hundred calls refused in no time sends the next hundred, and refusing
 * is all that is done. A call that is not answered yet keeps its place among those that its
 * connection may have open, so the flood slows down by itself.
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
      // What was due at last is done whether or not there is anything left for it.
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
