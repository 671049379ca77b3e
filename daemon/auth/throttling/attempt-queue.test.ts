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

it('a rank ends at 3 and at 9 failures, whichever came first', async () => {
  const { join, events } = createBench();
  for (const failures of [0, 1, 2, 3, 4, 9, 10, 12]) join(String(failures), { failures });
  await pass(8_100);
  expect(events).toEqual(['0', '1', '2', '3', '9', '4', '12', '10']);
});

describe('times of the attempt queue', () => {
  it('a waiter is not tried before the bucket is expected to have an attempt', async () => {
    const { line, events } = createBench();
    const waiter = (name: string): Waiter => ({
      ...{ failures: 0, group: name, isGone: () => false },
      attempt: () => Promise.resolve((events.push(name), 'done' as const)),
      giveUp: () => events.push(`${name} gives up`),
    });
    line.join(waiter('first'), 60_000, 500);
    await pass(499);
    expect(events).toEqual([]);
    // An earlier expectation does not bring it forward, and a later one puts it off.
    line.join(waiter('second'), 60_000, 800);
    await pass(500);
    expect(events).toEqual([]);
    await pass(301);
    expect(events).toHaveLength(2);
  });

  it('a waiter whose attempt is under way when its time ends gives up after it', async () => {
    const { line, events } = createBench();
    let answer: (tried: { waitMs: number }) => void = () => undefined;
    line.join(
      {
        ...{ failures: 0, group: 'a', isGone: () => false },
        attempt: () => new Promise((resolve) => (answer = resolve)),
        giveUp: (retryAfterMs) => events.push(`gives up, ${Math.round(retryAfterMs)}`),
      },
      400,
      0,
    );
    await pass(500);
    expect(events).toEqual([]);
    answer({ waitMs: 3_000 });
    await pass(1);
    expect(events).toEqual(['gives up, 3000']);
    await pass(10_000);
    expect(events).toHaveLength(1);
  });

  it('one attempt is under way at a time, and the next follows when it ends', async () => {
    const { line, events } = createBench();
    const answers: (() => void)[] = [];
    const waiter = (name: string): Waiter => ({
      ...{ failures: 0, group: name, isGone: () => false },
      attempt: () => {
        events.push(name);
        return new Promise((resolve) => answers.push(() => resolve('done')));
      },
      giveUp: () => events.push(`${name} gives up`),
    });
    for (const name of ['a', 'b']) line.join(waiter(name), 60_000, 0);
    await pass(10);
    line.wake();
    await pass(10);
    expect(events).toHaveLength(1);
    answers[0]?.();
    await pass(10);
    expect(new Set(events)).toEqual(new Set(['a', 'b']));
  });

  it('a caller who has gone is answered with no wait where none is left', async () => {
    const { line, events } = createBench();
    line.join(
      {
        ...{ failures: 0, group: 'a', isGone: () => true },
        attempt: () => Promise.resolve('done'),
        giveUp: (retryAfterMs) => events.push(`gives up, ${retryAfterMs}`),
      },
      60_000,
      0,
    );
    await pass(10);
    expect(events).toEqual(['gives up, 0']);
    await pass(60_000);
    expect(events).toHaveLength(1);
  });

  it('a waiter that is done does not give up later', async () => {
    const { join, events } = createBench();
    join('owner', {}, 2_000);
    await pass(5_000);
    expect(events).toEqual(['owner']);
  });

  it('the queue says that it is empty after its last attempt, and not before', async () => {
    const { join, isEmpty } = createBench();
    join('one');
    join('other');
    await pass(1_500);
    expect(isEmpty()).toBe(false);
    await pass(1_000);
    expect(isEmpty()).toBe(true);
  });

  it('as many may wait as it says, and the one more is the last in rank', async () => {
    const { join, events } = createBench(3);
    for (const name of ['a', 'b', 'c']) join(name, { failures: 1 });
    expect(events).toEqual([]);
    join('newest', { failures: 12 });
    expect(events).toEqual(['newest gives up, 1000']);
    await pass(4_000);
    expect(events).toHaveLength(4);
  });
});
