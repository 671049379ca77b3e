/** Adaptive concurrency limit: admits as many calls of one kind as are answered in time. */
export type AdaptiveLimit = {
  /** True while another call would wait for too long. */
  isFull(): boolean;
  /** Takes a permit, which is released once, whatever the outcome. */
  acquire(): Permit;
};

export type Permit = {
  /** `isAnswered`: the work succeeded. Refusals and failures do not show how fast it is. */
  release(isAnswered: boolean): void;
};

export type AdaptiveLimitBounds = {
  /** How long a call may take, its wait in the queue included. */
  readonly targetMs: number;
  /** Never fewer at once: enough for a batch, so that a stall cannot stop admission. */
  readonly min: number;
  readonly max: number;
};

/**
 * For each call that was in time: a tenth more by the time that all calls in flight are answered.
 * The effect of more calls shows no earlier, so faster growth would overshoot.
 */
const growth = 0.1;

/**
 * Adapts the limit to the rate at which calls are answered. They wait in one queue, so a call that
 * entered with n in flight and took t shows a rate of n / t. If t was too long, the limit becomes
 * what would have been in time; if it was in time and the limit was nearly used, it grows.
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
          // So few are always admitted: with few in flight a pause of the host shows no rate.
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
