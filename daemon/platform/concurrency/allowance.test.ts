import { expect, it } from 'vitest';

import { createAllowance } from './allowance.ts';

it('an allowance gives what there is, and more with time, up to its burst', () => {
  let nowMs = 0;
  const allowance = createAllowance({ burst: 10, perSecond: 5 }, () => nowMs);
  expect(allowance.take(8)).toBe(true);
  expect(allowance.take(4)).toBe(false);
  expect(allowance.take(2)).toBe(true);
  nowMs = 1_000;
  expect(allowance.take(6)).toBe(false);
  expect(allowance.take(5)).toBe(true);
  nowMs = 1_000_000;
  expect(allowance.take(11)).toBe(false);
  expect(allowance.take(10)).toBe(true);
});

it('what is given back can be taken again, and what is charged in any case is owed', () => {
  const allowance = createAllowance({ burst: 10, perSecond: 0 }, () => 0);
  expect(allowance.take(10)).toBe(true);
  allowance.giveBack(3);
  expect(allowance.take(3)).toBe(true);
  allowance.giveBack(50);
  expect(allowance.take(11)).toBe(false);
  allowance.charge(15);
  allowance.giveBack(5);
  expect(allowance.take(1)).toBe(false);
});
