import { describe, expect, it } from 'vitest';

import { createAdaptiveLimit, type Permit } from './adaptive-limit.ts';

const limits = { targetMs: 500, min: 10, max: 1_000 };

/** A queue of which `rate` calls are answered in a second, at a clock of its own. */
function createQueue(rate: number) {
  let nowMs = 0;
  const server = { rate };
  const waiting: { readonly visit: Permit; readonly sinceMs: number }[] = [];
  const fit = createAdaptiveLimit(limits, () => nowMs);
  let longestMs = 0;
  return {
    fit,
    server,
    /** How many of `count` calls are admitted; the rest is refused. */
    offer: (count: number): number => {
      let admitted = 0;
      for (; admitted < count && !fit.isFull(); admitted += 1) {
        waiting.push({ visit: fit.acquire(), sinceMs: nowMs });
      }
      return admitted;
    },
    /** Ten milliseconds pass, and what can be answered in them is. */
    tick: (): number => {
      nowMs += 10;
      const done = waiting.splice(0, Math.round(server.rate / 100));
      longestMs = Math.max(longestMs, ...done.map(({ sinceMs }) => nowMs - sinceMs));
      for (const { visit } of done) visit.release(true);
      return done.length;
    },
    takeLongestMs: (): number => {
      const taken = longestMs;
      longestMs = 0;
      return taken;
    },
  };
}

const run = (queue: ReturnType<typeof createQueue>, ticks: number, offered: number): number => {
  let done = 0;
  for (let i = 0; i < ticks; i += 1) {
    queue.offer(offered);
    done += queue.tick();
  }
  return done;
};

describe('adaptive admission limit', () => {
  it('the maximum number of calls is admitted until calls take too long', () => {
    expect(createQueue(1_000).offer(2_000)).toBe(1_000);
  });

  it('at four times the load the admitted calls are answered in time, at the full rate', () => {
    const queue = createQueue(600);
    run(queue, 1_000, 24);
    queue.takeLongestMs();
    expect(run(queue, 1_000, 24)).toBe(6_000);
    expect(queue.takeLongestMs()).toBeLessThanOrEqual(600);
  });

  it('the limit follows the rate of answers down, and up again', () => {
    const queue = createQueue(600);
    run(queue, 500, 24);
    queue.server.rate = 200;
    run(queue, 500, 24);
    queue.takeLongestMs();
    run(queue, 500, 24);
    expect(queue.takeLongestMs()).toBeLessThanOrEqual(600);
    queue.server.rate = 800;
    run(queue, 500, 24);
    expect(run(queue, 500, 24)).toBe(4_000);
  });

  it('the limit is never below the minimum, however slow calls are', () => {
    const queue = createQueue(100);
    queue.offer(1_000);
    run(queue, 2_000, 0);
    expect(queue.offer(1_000)).toBeGreaterThanOrEqual(limits.min);
  });

  it('a slow call with few others in flight does not lower the limit', () => {
    let nowMs = 0;
    const fit = createAdaptiveLimit(limits, () => nowMs);
    const visit = fit.acquire();
    nowMs = 60_000;
    visit.release(true);
    for (let i = 0; i < 999; i += 1) fit.acquire();
    expect(fit.isFull()).toBe(false);
  });

  it('a failed call does not change the limit, and returns its permit', () => {
    let nowMs = 0;
    const fit = createAdaptiveLimit(limits, () => nowMs);
    const visits = Array.from({ length: 1_000 }, () => fit.acquire());
    expect(fit.isFull()).toBe(true);
    nowMs = 60_000;
    for (const visit of visits) visit.release(false);
    for (let i = 0; i < 999; i += 1) fit.acquire();
    expect(fit.isFull()).toBe(false);
  });
});
