import { expect, test } from 'vitest';

import { compareClocks, formatSpan } from './clock.ts';

const sample = (differenceMs: number, roundTripMs = 20) => ({
  sentAtMs: 1_000_000,
  roundTripMs,
  serverAtMs: 1_000_000 + roundTripMs / 2 + differenceMs,
});
const stateOf = (differenceMs: number, roundTripMs?: number) =>
  compareClocks([sample(differenceMs, roundTripMs)])[0];

test('half of the round trip is taken for the way there', () => {
  expect(stateOf(0, 3_000)).toMatchObject({
    state: 'ok',
    details: { differenceMs: 0, uncertaintyMs: 1_500 },
  });
  expect(stateOf(-5_000)).toMatchObject({ details: { differenceMs: -5_000 } });
});

test.each([
  [0, 20, 'ok'],
  [1_900, 20, 'ok'],
  [-2_500, 20, 'warning'],
  [2_500, 20, 'warning'],
  // The slow call may have been answered at its end.
  [2_500, 2_000, 'ok'],
  [29_000, 20, 'warning'],
  [31_000, 20, 'problem'],
  [-3_600_000, 20, 'problem'],
])('a difference of %d ms in a round trip of %d ms is %s', (differenceMs, tripMs, state) => {
  expect(stateOf(differenceMs, tripMs)?.state).toBe(state);
});

test('a difference says which clock is ahead, and how to set it', () => {
  const behind = stateOf(3_600_000);
  expect(behind?.message).toContain("this clock is 60 min behind the server's");
  expect(behind?.fix).toContain('timedatectl');
  expect(stateOf(-3_600_000)?.message).toContain('60 min ahead of');
});

test('the shortest call decides; without calls there is no finding', () => {
  const findings = compareClocks([sample(90_000, 4_000), sample(50, 10), sample(-90_000, 900)]);
  expect(findings).toMatchObject([{ state: 'ok', details: { differenceMs: 50 } }]);
  expect(compareClocks([])).toEqual([]);
});

test.each([
  [12, '12 ms'],
  [1_500, '1.5 s'],
  [119_000, '119 s'],
  [120_000, '2 min'],
  [7_200_000, '2 h'],
  [259_200_000, '3 days'],
])('%d ms is shown as %s', (ms, text) => {
  expect(formatSpan(ms)).toBe(text);
});
