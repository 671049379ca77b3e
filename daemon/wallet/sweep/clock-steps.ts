/** So much a clock may gain on the monotonic one between two looks, besides its own steps. */
const maxGainMs = 2_000;
/** A step that was a fault is corrected within this, as a rule. */
const steadyAfterMs = 30_000;

/**
 * Notices when a clock has stepped forward, by the monotonic clock of this process. What is entered
 * by a clock that is ahead for some seconds stays, so work that may wait does wait then.
 */
export function createStepWatch(monotonicMs: () => number = () => performance.now()) {
  let aheadMs: number | undefined;
  let steadyFromMs = -Infinity;
  return {
    /** False for a while after a step forward. `clockMs`: what the clock shows now. */
    isSteady: (clockMs: number): boolean => {
      const nowMs = monotonicMs();
      const gainMs = clockMs - nowMs - (aheadMs ?? clockMs - nowMs);
      aheadMs = clockMs - nowMs;
      if (gainMs > maxGainMs) steadyFromMs = nowMs + steadyAfterMs;
      return nowMs >= steadyFromMs;
    },
  };
}
