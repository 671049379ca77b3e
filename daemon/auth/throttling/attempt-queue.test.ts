import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createAttemptQueue, type Waiter } from './attempt-queue.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A bucket that lets one in every second, and waiters that note what comes of them. */
function createBench(maxWaiting = 10) {
  const events: string[] = [];
  let isEmpty = false;
  let openAtMs = performance.now() + 1_000;
  const line = createAttemptQueue(maxWaiting, () => (isEmpty = true));
  const waiter = (name: string, more: Partial<Waiter> = {}): Waiter => ({
    ...{ failures: 0, group: name, isGone: () => false },
    attempt: () => {
      const waitMs = openAtMs - performance.now();
      if (waitMs > 0) return Promise.resolve({ waitMs });
      openAtMs = performance.now() + 1_000;
      events.push(name);
      return Promise.resolve('done');
    },
    giveUp: (retryAfterMs) => events.push(`${name} gives up, ${Math.round(retryAfterMs)}`),
    ...more,
  });
  const join = (name: string, more: Partial<Waiter> = {}, maxWaitMs = 60_000): void =>
    line.join(waiter(name, more), maxWaitMs, openAtMs - performance.now());
  return { line, events, join, isEmpty: () => isEmpty };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('a waiting line', () => {
  it('lets those in first against whom least is known', async () => {
    const { join, events } = createBench();
    join('guesser', { failures: 12 });
    join('careless', { failures: 2 });
    join('owner');
    await pass(3_100);
    expect(events).toEqual(['owner', 'careless', 'guesser']);
  });

  it('lets groups in by turns, and of a group the newest', async () => {
    const { join, events } = createBench();
    for (const name of ['a1', 'a2', 'a3']) join(name, { group: 'a' });
    join('b1', { group: 'b' });
    await pass(4_100);
    expect(events).toEqual(['b1', 'a3', 'a2', 'a1']);
  });

  it('waits no longer than asked for, and says for how long the bucket is blocked', async () => {
    const { join, events, isEmpty } = createBench();
    join('impatient', {}, 400);
    await pass(500);
    expect(events).toEqual(['impatient gives up, 600']);
    await pass(1_000);
    expect(isEmpty()).toBe(true);
  });

  it('gives up the last in rank where it is full', async () => {
    const { join, events } = createBench(2);
    join('guesser', { failures: 9 });
    join('other', { failures: 1 });
    join('owner');
    await pass(2_100);
    expect(events).toEqual(['guesser gives up, 1000', 'owner', 'other']);
  });

  it('starts nothing for those who have gone', async () => {
    const { join, events } = createBench();
    join('gone', { isGone: () => true });
    join('owner');
    await pass(1_100);
    expect(events.filter((event) => !event.includes('gives up'))).toEqual(['owner']);
  });

  it('tries again at once when an attempt was given back', async () => {
    const { join, line, events } = createBench();
    let isOpen = false;
    const attempt = () => Promise.resolve(isOpen ? ('done' as const) : { waitMs: 5_000 });
    join('owner', { attempt: () => attempt().then((tried) => (events.push('tried'), tried)) });
    await pass(1_100);
    isOpen = true;
    line.wake();
    await pass(1);
    expect(events).toEqual(['tried', 'tried']);
  });
});
