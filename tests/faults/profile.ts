import type { Timing } from './schedule/schedule.ts';

export const longTiming: Timing = {
  lockMs: 30_000,
  stopMs: [5_000, 15_000],
  mixMs: 10_000,
  quietMs: [5_000, 9_000],
  lateMs: [10_000, 60_000],
  rereadMs: [1_000, 8_000],
};

/** More faults in less time. */
export const denseTiming: Timing = {
  lockMs: 10_000,
  stopMs: [2_000, 8_000],
  mixMs: 6_000,
  quietMs: [2_000, 4_000],
  lateMs: [5_000, 20_000],
  rereadMs: [1_000, 8_000],
};

export const shortTiming: Timing = {
  lockMs: 4_000,
  stopMs: [1_500, 3_000],
  mixMs: 3_000,
  quietMs: [500, 1_000],
  lateMs: [3_000, 8_000],
  rereadMs: [500, 4_000],
};
