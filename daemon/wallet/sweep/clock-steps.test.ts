import { expect, it } from 'vitest';

import { createStepWatch } from './clock-steps.ts';

const hourMs = 3_600_000;

function createWorld() {
  let nowMs = 5_000;
  const watch = createStepWatch(() => nowMs);
  return {
    /** After so long a look at a clock that is ahead by so much. */
    look: (afterMs: number, aheadMs: number): boolean => {
      nowMs += afterMs;
      return watch.isSteady(1_796_000_000_000 + nowMs + aheadMs);
    },
  };
}

it('a clock that runs evenly, drifts or steps back is steady', () => {
  const { look } = createWorld();
  expect(look(0, 0)).toBe(true);
  expect(look(1_000, 10)).toBe(true);
  expect(look(600_000, 1_500)).toBe(true);
  expect(look(1_000, -hourMs)).toBe(true);
  expect(look(1_000, -hourMs)).toBe(true);
});

it('after a step forward a clock is steady again half a minute later, by its new time', () => {
  const { look } = createWorld();
  expect(look(0, 0)).toBe(true);
  expect(look(1_000, 2 * hourMs)).toBe(false);
  expect(look(29_000, 2 * hourMs)).toBe(false);
  expect(look(1_001, 2 * hourMs)).toBe(true);
});

it('a step that is taken back has done nothing', () => {
  const { look } = createWorld();
  look(0, 0);
  const looks = [look(1_000, hourMs), look(1_000, hourMs), look(2_000, 0), look(20_000, 0)];
  expect(looks).toEqual([false, false, false, false]);
  expect(look(8_000, 0)).toBe(true);
});
