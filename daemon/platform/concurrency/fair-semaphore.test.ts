import { setImmediate as turnOver } from 'node:timers/promises';

import { describe, expect, it, vi } from 'vitest';

import { createFairSemaphore, type FairLimits, type Turn } from './fair-semaphore.ts';
import { runPausable } from './pausable.ts';
import { succeed, type Result } from '../../../core/reasons.ts';

const limits: FairLimits = { maxAtOnce: 1, maxWaiting: 8, maxWaitingOf: [6, 4] };
const reasonOf = (result: Result<unknown>) => (result.ok ? 'ok' : result.rejection.reason);

function turn(path: string, more: Partial<Turn> = {}): Turn {
  return { path: path.split('/'), deadlineMs: Infinity, isCancelled: () => false, ...more };
}

/** Work that is noted when it starts, and ends when it is let go. */
function createBench(own: FairLimits = limits) {
  const semaphore = createFairSemaphore(own);
  const started: string[] = [];
  const ends: (() => void)[] = [];
  const run = (path: string, more: Partial<Turn> = {}) =>
    semaphore.run(turn(path, more), () => {
      started.push(path);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
  const finish = async (): Promise<void> => {
    await turnOver();
    for (let i = 0; i < 100 && ends.length > 0; i += 1) {
      ends.shift()?.();
      await turnOver();
    }
  };
  return { semaphore, started, run, finish };
}

describe('a fair semaphore', () => {
  it('a fair semaphore starts maxAtOnce calls, and then one of each network in turn', async () => {
    const { run, started, finish } = createBench({ ...limits, maxAtOnce: 2 });
    const results = ['a/1', 'a/1', 'a/1', 'a/1', 'b/1', 'b/1'].map((path) => run(path));
    await turnOver();
    expect(started).toEqual(['a/1', 'a/1']);
    await finish();
    expect(started).toEqual(['a/1', 'a/1', 'a/1', 'b/1', 'a/1', 'b/1']);
    expect((await Promise.all(results)).map(reasonOf)).toEqual(Array(6).fill('ok'));
  });

  it('a fair semaphore limits the waiting calls of each network and each account', async () => {
    const { run, finish } = createBench();
    const paths = ['x/1', ...Array<string>(5).fill('a/1'), 'a/2', 'a/2', 'a/3'];
    const results = paths.map((path) => run(path));
    await finish();
    const reasons = (await Promise.all(results)).map(reasonOf);
    expect(reasons).toEqual(paths.map((_, i) => (i === 5 || i === 8 ? 'OVERLOADED' : 'ok')));
  });

  it('a full fair semaphore refuses the newest call of the network with most calls', async () => {
    const { run, finish } = createBench();
    const paths = ['x/1', 'a/1', 'a/1', 'a/1', 'a/1', 'a/2', 'a/2', 'b/1', 'b/2', 'c/1'];
    const results = paths.map((path) => run(path));
    await finish();
    const reasons = (await Promise.all(results)).map(reasonOf);
    expect(reasons).toEqual(paths.map((_, i) => (i === 4 ? 'OVERLOADED' : 'ok')));
  });

  it('a permit that is given back twice makes room for one', async () => {
    const { semaphore } = createBench();
    const first = await semaphore.acquire(turn('a/1'));
    const waiting = [semaphore.acquire(turn('a/1')), semaphore.acquire(turn('a/1'))];
    const granted: number[] = [];
    waiting.forEach((permit, i) => void permit.then(() => granted.push(i)));
    if (first.ok) [1, 2].forEach(() => first.value());
    await turnOver();
    expect(granted).toEqual([0]);
  });

  it('a call that had a permit before waits at any bound, and goes first', async () => {
    const { semaphore } = createBench({ ...limits, maxWaiting: 1 });
    const first = await semaphore.acquire(turn('a/1'));
    const granted: string[] = [];
    const wait = (name: string, isResumed: boolean) =>
      semaphore.acquire(turn('a/1'), isResumed).then((permit) => {
        granted.push(`${name} ${reasonOf(permit)}`);
        return permit;
      });
    void wait('new', false);
    const resumed = wait('resumed', true);
    void wait('too many', false);
    if (first.ok) first.value();
    const permit = await resumed;
    expect(granted).toEqual(['too many OVERLOADED', 'resumed ok']);
    if (permit.ok) permit.value();
    await turnOver();
    expect(granted.at(-1)).toBe('new ok');
  });

  it('calls that are given up make room for others in a full queue', async () => {
    const { semaphore } = createBench({ ...limits, maxWaiting: 1 });
    const first = await semaphore.acquire(turn('a/1'));
    let isGone = false;
    const gone = semaphore.acquire(turn('a/1', { isCancelled: () => isGone }));
    isGone = true;
    const next = semaphore.acquire(turn('b/1'));
    expect(reasonOf(await gone)).toBe('CANCELLED');
    if (first.ok) first.value();
    expect(reasonOf(await next)).toBe('ok');
    expect(reasonOf(await semaphore.acquire(turn('c/1', { isCancelled: () => true })))).toBe(
      'CANCELLED',
    );
  });

  it('a fair semaphore does not start cancelled or late calls', async () => {
    const { run, started, finish } = createBench();
    let isGone = false;
    const held = run('x/1');
    const gone = run('a/1', { isCancelled: () => isGone });
    const late = run('b/1', { deadlineMs: performance.now() + 1 });
    const kept = run('c/1');
    isGone = true;
    await new Promise((resolve) => setTimeout(resolve, 5));
    await finish();
    expect(started).toEqual(['x/1', 'c/1']);
    const reasons = (await Promise.all([held, gone, late, kept])).map(reasonOf);
    expect(reasons).toEqual(['ok', 'CANCELLED', 'CANCELLED', 'ok']);
  });

  it.each([86_400_000, -86_400_000])(
    'a fair semaphore keeps deadlines when the wall clock steps by %d ms',
    async (stepMs) => {
      const { run, started, finish } = createBench();
      const held = run('x/1');
      const kept = run('a/1', { deadlineMs: performance.now() + 60_000 });
      const late = run('b/1', { deadlineMs: performance.now() + 1 });
      const realMs = Date.now();
      const clock = vi.spyOn(Date, 'now').mockImplementation(() => realMs + stepMs);
      await new Promise((resolve) => setTimeout(resolve, 5));
      await finish();
      clock.mockRestore();
      expect(started).toEqual(['x/1', 'a/1']);
      const reasons = (await Promise.all([held, kept, late])).map(reasonOf);
      expect(reasons).toEqual(['ok', 'ok', 'CANCELLED']);
    },
  );

  it('a fair semaphore gets its permit back when the work throws', async () => {
    const { semaphore } = createBench();
    const failed = semaphore.run(turn('a/1'), () => Promise.reject(new Error('broken')));
    await expect(failed).rejects.toThrow('broken');
    expect(reasonOf(await semaphore.run(turn('a/1'), () => Promise.resolve(1)))).toBe('ok');
  });

  it('work that pauses lends its permit, and waits for one before it resumes', async () => {
    const { semaphore, run, started, finish } = createBench();
    let endPause = (): void => undefined;
    const events: string[] = [];
    const paused = runPausable([semaphore], turn('a/1'), async (pause) => {
      await pause(() => new Promise<void>((resolve) => (endPause = resolve)));
      events.push('resumed');
      return succeed({});
    });
    await turnOver();
    const other = run('b/1');
    await turnOver();
    expect(started).toEqual(['b/1']);
    endPause();
    await turnOver();
    expect(events).toEqual([]);
    await finish();
    expect(reasonOf(await other)).toBe('ok');
    expect(reasonOf(await paused)).toBe('ok');
    expect(events).toEqual(['resumed']);
  });
});
