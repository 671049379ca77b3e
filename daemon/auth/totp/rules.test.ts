import { describe, expect, it } from 'vitest';

import { stepAt } from './codes.ts';
import { isEnrolmentOpen, checkFailures, checkLastStep } from './rules.ts';

const nowMs = 1_800_000_000_000;
const minuteMs = 60_000;
const ago = (...minutes: number[]) => minutes.map((minute) => nowMs - minute * minuteMs);
const stepsMs = [2_000, 10 * minuteMs, 24 * 60 * minuteMs];

describe('checkFailures', () => {
  it('checkFailures admits a code after four wrong ones, and none after five', () => {
    expect(checkFailures(ago(4, 3, 2, 1), nowMs).waitSeconds).toBe(0);
    expect(checkFailures(ago(5, 4, 3, 2, 1), nowMs).waitSeconds).toBe(600);
  });

  it('checkFailures counts only the wrong codes of the last 15 minutes', () => {
    expect(checkFailures(ago(16, 4, 3, 2, 1), nowMs)).toMatchObject({ waitSeconds: 0 });
    expect(checkFailures(ago(15, 4, 3, 2, 1), nowMs).recentMs).toHaveLength(4);
    expect(checkFailures(ago(14, 4, 3, 2, 1), nowMs).waitSeconds).toBe(60);
  });

  it.each(stepsMs)('a clock that went back by %i ms locks no user out', (stepMs) => {
    const future = Array.from({ length: 5 }, () => nowMs + stepMs);
    const judged = checkFailures(future, nowMs);
    expect(judged).toEqual({ recentMs: [], waitSeconds: 0, hasFutureTime: true });
  });

  it.each(stepsMs)(
    'a clock that goes forward by %i ms never waits longer than 15 minutes',
    (ms) => {
      const { waitSeconds } = checkFailures(ago(0, 0, 0, 0, 0), nowMs + ms);
      expect(waitSeconds).toBeGreaterThanOrEqual(0);
      expect(waitSeconds).toBeLessThanOrEqual(900);
    },
  );
});

describe('checkLastStep', () => {
  it('checkLastStep counts a step up to the skew ahead', () => {
    const step = stepAt(nowMs) + 1;
    expect(checkLastStep(step, nowMs)).toEqual({ lastStep: step, isFuture: false });
  });

  it('checkLastStep ignores a step further ahead, and reports it', () => {
    const step = stepAt(nowMs) + 2;
    expect(checkLastStep(step, nowMs)).toEqual({ lastStep: undefined, isFuture: true });
    expect(checkLastStep(undefined, nowMs)).toEqual({ lastStep: undefined, isFuture: false });
  });
});

describe('isEnrolmentOpen', () => {
  it('an enrolment is open for 15 minutes, and not if it is dated in the future', () => {
    expect(ago(0, 14, 15).map((atMs) => isEnrolmentOpen(atMs, nowMs))).toEqual([true, true, false]);
    expect(isEnrolmentOpen(nowMs + 1, nowMs)).toBe(false);
  });
});
