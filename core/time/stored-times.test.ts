import { expect, it } from 'vitest';

import { accessTokenLifeMs, clockStepMs, isEndInvalid } from './stored-times.ts';

const nowMs = Date.UTC(2026, 10, 22);
const minuteMs = 60_000;

it('an access token lives a quarter of an hour, and so large a step of a clock ends nothing', () => {
  expect([accessTokenLifeMs, clockStepMs]).toEqual([15 * minuteMs, 15 * minuteMs]);
});

it('an end is invalid if it is further away than the longest life and a small step', () => {
  const longestLifeMs = 60 * minuteMs;
  const latest = nowMs + longestLifeMs + clockStepMs;
  expect(isEndInvalid(latest, nowMs, longestLifeMs)).toBe(false);
  expect(isEndInvalid(latest + 1, nowMs, longestLifeMs)).toBe(true);
  expect(isEndInvalid(nowMs - 1, nowMs, longestLifeMs)).toBe(false);
});
