/** How many calls of one kind are taken on at once: as many as are answered in time. */
export type AdaptiveLimit = {
  /** True while another call would wait for too long. */
  isFull(): boolean;
  /** Counts a call in; whatever comes of it, the visit is ended once. */
  acquire(): Permit;
};

export type Permit = {
  /** `isAnswered`: by the work itself. What was refused or failed tells nothing of its pace. */
  release(isAnswered: boolean): void;
};

export type AdaptiveLimitBounds = {
  /** What a call may take with everything before it in the queue. */
  readonly targetMs: number;
  /** Never fewer at once: enough for a whole batch, and no stall can close the door. */
  readonly min: number;
  readonly max: number;
};

/**
 * For each call that was in time: a tenth more by the time that all in hand are answered. What more
 * does shows no earlier, so faster growth would go far past the mark before it is told.
 */
const growth = 0.1;

/**
 * Fits the number of calls at once to the pace at which they are answered. They wait for one
 * another in one queue, so a call that came in with n in hand and took t shows a pace of n / t:
 * where that was too long, no more are let in than would have been in time; where it was in time
 * and the place was needed, some more are.
 */
export function createAdaptiveLimit(
  limits: AdaptiveLimitBounds,
  nowMs: () => number,
): AdaptiveLimit {
  const { targetMs, min, max } = limits;
  let limit = max;
  let inFlight = 0;
  return {
    isFull: () => inFlight >= limit,
    acquire: () => {
      inFlight += 1;
      const count = inFlight;
      const enteredAtMs = nowMs();
      return {
        release: (isAnswered) => {
          inFlight -= 1;
          // So few are let in at any pace: a pause of the machine with few in hand shows none.
          if (!isAnswered || count < min) return;
          const tookMs = nowMs() - enteredAtMs;
          if (tookMs > targetMs) {
            limit = Math.max(min, Math.min(limit, Math.floor((count * targetMs) / tookMs)));
          } else if (count > limit / 2) {
            limit = Math.min(max, limit + growth);
          }
        },
      };
    },
  };
}
