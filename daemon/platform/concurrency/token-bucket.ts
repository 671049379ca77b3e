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

const lookEveryMs = 5;

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
  type PutOff = { readonly act: () => void; readonly cost: number; readonly latestMs: number };
  const putOff: PutOff[] = [];
  let left = burst;
  let countedAtMs = nowMs();

  const refill = (): number => {
    const now = nowMs();
    left = Math.min(burst, left + ((now - countedAtMs) / 1_000) * perSecond);
    countedAtMs = now;
    return now;
  };
  const look = (): void => {
    const now = refill();
    let count = 0;
    while (count < putOff.length && (left >= 1 || (putOff[count]?.latestMs ?? 0) <= now)) {
      // What was due at last is done whether or not there is anything left for it.
      if (left >= 1) left -= putOff[count]?.cost ?? 1;
      count += 1;
    }
    const due = putOff.splice(0, count);
    if (putOff.length > 0) wait(lookEveryMs, look);
    for (const { act } of due) act();
  };
  return (act, cost = 1) => {
    const now = refill();
    if (putOff.length === 0 && left >= 1) {
      left -= cost;
      act();
      return;
    }
    putOff.push({ act, cost, latestMs: now + maxWaitMs });
    if (putOff.length === 1) wait(lookEveryMs, look);
  };
}
