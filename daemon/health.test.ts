import { expect, it } from 'vitest';

import { watchReadiness } from './health.ts';

it('a daemon is ready while the revocation feed is fresh, and not once it drains', () => {
  const state = { isFresh: false };
  const reported: boolean[] = [];
  const readiness = watchReadiness({
    server: { setReady: (isReady) => reported.push(isReady), setPartHealth: () => undefined },
    broker: { findTrouble: () => undefined },
    revocations: { isFresh: () => state.isFresh },
  });
  expect(readiness.isReady()).toBe(false);
  expect(readiness.findTrouble()).toBeUndefined();
  state.isFresh = true;
  readiness.look();
  // The start is not over.
  expect(readiness.isReady()).toBe(false);
  state.isFresh = false;
  readiness.begin();
  expect(readiness.isReady()).toBe(false);
  expect(readiness.findTrouble()).toMatch(/feed of revocations/);
  state.isFresh = true;
  readiness.look();
  expect(readiness.isReady()).toBe(true);
  expect(readiness.findTrouble()).toBeUndefined();
  state.isFresh = false;
  readiness.look();
  expect(readiness.isReady()).toBe(false);
  state.isFresh = true;
  readiness.look();
  readiness.end();
  expect(readiness.isReady()).toBe(false);
  expect(readiness.findTrouble()).toBeUndefined();
  expect(reported).toEqual([true, false, true, false]);
});
