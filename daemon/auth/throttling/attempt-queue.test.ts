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

describe('attempt queue', () => {
  it('the attempt queue admits callers with the fewest failures first', async () => {
    const { join, events } = createBench();
    join('guesser', { failures: 12 });
    join('careless', { failures: 2 });
    join('owner');
    await pass(3_100);
    expect(events).toEqual(['owner', 'careless', 'guesser']);
  });

  it('the attempt queue admits groups in turn, and the newest of each group first', async () => {
    const { join, events } = createBench();
    for (const name of ['a1', 'a2', 'a3']) join(name, { group: 'a' });
    join('b1', { group: 'b' });
    await pass(4_100);
    expect(events).toEqual(['b1', 'a3', 'a2', 'a1']);
  });

  it('callers with 4 to 9 failures are equals, and so are those with more', async () => {
    const { join, events } = createBench();
    for (const failures of [12, 10, 4, 9, 3, 2, 1, 0]) join(String(failures), { failures });
    await pass(8_100);
    expect(events).toEqual(['0', '1', '2', '3', '9', '4', '10', '12']);
  });

  it('of equal groups the one that was served longest ago goes first', async () => {
    const { join, events } = createBench();
    for (const name of ['a1', 'a2', 'b1', 'b2']) join(name, { group: name.slice(0, 1) });
    await pass(4_100);
    expect(events).toEqual(['b2', 'a2', 'b1', 'a1']);
  });

  it('a queued attempt gives up after its longest wait, and reports the wait left', async () => {
    const { join, events, isEmpty } = createBench();
    join('impatient', {}, 400);
    await pass(500);
    expect(events).toEqual(['impatient gives up, 600']);
    await pass(1_000);
    expect(isEmpty()).toBe(true);
  });

  it('a full attempt queue gives up the attempt with the most failures', async () => {
    const { join, events } = createBench(2);
    join('guesser', { failures: 9 });
    join('other', { failures: 1 });
    join('owner');
    await pass(2_100);
    expect(events).toEqual(['guesser gives up, 1000', 'owner', 'other']);
  });

  it('the attempt queue starts no attempt of a caller who has gone', async () => {
    const { join, events } = createBench();
    join('gone', { isGone: () => true });
    join('owner');
    await pass(1_100);
    expect(events.filter((event) => !event.includes('gives up'))).toEqual(['owner']);
  });

  it('the attempt queue tries an attempt again at once on a wake-up', async () => {
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
