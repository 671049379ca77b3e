export type Rate = { readonly burst: number; readonly perSecond: number };

export type Allowance = {
  /** False if there is not so much left; nothing is taken then. */
  take(count: number): boolean;
  /** Takes it in any case: what comes next waits longer. */
  charge(count: number): void;
  /** What was taken and turned out to cost nothing. */
  giveBack(count: number): void;
};

/** A token bucket that is asked and does not wait. */
export function createAllowance({ burst, perSecond }: Rate, nowMs: () => number): Allowance {
  let left = burst;
  let countedAtMs = nowMs();
  return {
    take: (count) => {
      if (left < count) {
        const atMs = nowMs();
        left = Math.min(burst, left + ((atMs - countedAtMs) / 1_000) * perSecond);
        countedAtMs = atMs;
      }
      if (left < count) return false;
      left -= count;
      return true;
    },
    charge: (count) => {
      left -= count;
    },
    giveBack: (count) => {
      left = Math.min(burst, left + count);
    },
  };
}
