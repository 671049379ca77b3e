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

  it('a token bucket delays no work for more than its maximum, however much there is', () => {
    const { give, pass, done } = createStand();
    give(0, 100_000);
    pass(300);
    expect(done).toHaveLength(100_000);
    expect(Math.max(...done.map(({ atMs }) => atMs))).toBeLessThanOrEqual(255);
  });
});
