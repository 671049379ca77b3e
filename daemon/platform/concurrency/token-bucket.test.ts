import { describe, expect, it } from 'vitest';

import { createTokenBucket } from './token-bucket.ts';

function createStand() {
  let nowMs = 0;
  let timers: { atMs: number; onTime: () => void }[] = [];
  const done: { n: number; atMs: number }[] = [];
  const bucket = createTokenBucket(
    { perSecond: 1_000, burst: 10, maxWaitMs: 250 },
    {
      nowMs: () => nowMs,
      wait: (durationMs, onTime) => timers.push({ atMs: nowMs + durationMs, onTime }),
    },
  );
  return {
    done,
    give: (from: number, count: number) => {
      for (let n = from; n < from + count; n += 1) bucket(() => done.push({ n, atMs: nowMs }));
    },
    pass: (durationMs: number) => {
      for (const endMs = nowMs + durationMs; nowMs < endMs;) {
        nowMs += 1;
        const due = timers.filter(({ atMs }) => atMs <= nowMs);
        timers = timers.filter(({ atMs }) => atMs > nowMs);
        for (const { onTime } of due) onTime();
      }
    },
  };
}

describe('token bucket', () => {
  it('a token bucket runs a burst of work at once, and again after a quiet time', () => {
    const { give, pass, done } = createStand();
    give(0, 10);
    expect(done).toHaveLength(10);
    pass(1_000);
    give(10, 10);
    expect(done).toHaveLength(20);
  });

  it('a token bucket delays work above its rate, and runs all of it in order', () => {
    const { give, pass, done } = createStand();
    give(0, 110);
    expect(done).toHaveLength(10);
    pass(50);
    expect(done.length).toBeGreaterThanOrEqual(50);
    expect(done.length).toBeLessThanOrEqual(60);
    give(110, 1);
    pass(100);
    expect(done.map(({ n }) => n)).toEqual(Array.from({ length: 111 }, (_, n) => n));
  });

  it('work that comes when there are tokens again does not overtake what is delayed', () => {
    const { give, pass, done } = createStand();
    give(0, 11);
    pass(3);
    give(11, 1);
    expect(done).toHaveLength(10);
    pass(5);
    expect(done.slice(10).map(({ n }) => n)).toEqual([10, 11]);
  });

  it('a token bucket delays no work for more than its maximum, however much there is', () => {
    const { give, pass, done } = createStand();
    give(0, 100_000);
    pass(300);
    expect(done).toHaveLength(100_000);
    expect(Math.max(...done.map(({ atMs }) => atMs))).toBeLessThanOrEqual(255);
  });
});

describe('costs and times of a token bucket', () => {
  /** A bucket of 10 tokens, 100 a second, whose time is passed by the test. */
  function createOwn(maxWaitMs = 1_000) {
    let nowMs = 0;
    const timers: { atMs: number; onTime: () => void }[] = [];
    const done: string[] = [];
    const act = createTokenBucket(
      { perSecond: 100, burst: 10, maxWaitMs },
      {
        nowMs: () => nowMs,
        wait: (durationMs, onTime) => timers.push({ atMs: nowMs + durationMs, onTime }),
      },
    );
    return {
      done,
      timers,
      give: (name: string, cost?: number) => act(() => done.push(`${name} ${nowMs}`), cost),
      passTo: (toMs: number) => {
        while (nowMs < toMs) {
          nowMs += 1;
          for (const one of timers.filter(({ atMs }) => atMs <= nowMs)) {
            timers.splice(timers.indexOf(one), 1);
            one.onTime();
          }
        }
      },
    };
  }

  it('an action that costs more than is left runs with the last token, and others wait', () => {
    const { give, done, passTo } = createOwn();
    give('large', 12);
    give('next');
    expect(done).toEqual(['large 0']);
    // From -2 tokens up to 1: 30 ms.
    passTo(29);
    expect(done).toEqual(['large 0']);
    passTo(30);
    expect(done).toEqual(['large 0', 'next 30']);
  });

  it('the cost of what was delayed counts, too', () => {
    const { give, done, passTo } = createOwn();
    give('all', 10);
    give('dear', 5);
    give('last');
    passTo(10);
    expect(done).toEqual(['all 0', 'dear 10']);
    passTo(54);
    expect(done).toHaveLength(2);
    passTo(65);
    expect(done).toHaveLength(3);
  });

  it('what waited for the longest time runs without a token, and takes none', () => {
    const { give, done, passTo } = createOwn(20);
    give('all', 40);
    give('late');
    passTo(19);
    expect(done).toEqual(['all 0']);
    passTo(20);
    expect(done).toEqual(['all 0', 'late 20']);
    // -30 + 0.1 a ms: without the token of the late one the next runs at 310 ms.
    passTo(300);
    give('soon');
    passTo(310);
    expect(done[2]).toBe('soon 310');
  });

  it('tokens are no more than the burst, however long the quiet time', () => {
    const { give, done, passTo } = createOwn();
    passTo(60_000);
    for (let i = 0; i < 11; i += 1) give(String(i));
    expect(done).toHaveLength(10);
  });

  it('one timer is set while actions wait, and none where none does', () => {
    const { give, timers, passTo } = createOwn();
    give('all', 10);
    expect(timers).toHaveLength(0);
    for (const name of ['a', 'b', 'c']) give(name);
    expect(timers).toHaveLength(1);
    passTo(100);
    expect(timers).toHaveLength(0);
  });
});
