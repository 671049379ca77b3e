import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ddmin, findLeast } from './ddmin.ts';
import { shrinkSchedule, type Schedule } from './shrink.ts';

const silent = (): void => undefined;

describe('ddmin', () => {
  it('exactly the items that are needed are left, in their order', async () => {
    const needed = fc.uniqueArray(fc.nat(60), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(needed, fc.integer({ min: 0, max: 61 }), async (ids, more) => {
        const length = Math.max(more, ...ids.map((id) => id + 1));
        const list = Array.from({ length }, (_, i) => i);
        let runs = 0;
        const found = await ddmin(list, (some) => {
          runs += 1;
          return Promise.resolve(ids.every((id) => some.includes(id)));
        });
        expect(found).toEqual([...ids].sort((a, b) => a - b));
        expect(runs).toBeLessThanOrEqual(length * length + 3 * length);
      }),
    );
  });

  it('without one of the items that are left nothing fails, whatever the rule', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(9), { maxLength: 20 }), fc.nat(60), async (list, least) => {
        const items = list.map((value) => ({ value }));
        const isFailing = (some: readonly { value: number }[]): boolean =>
          some.reduce((sum, { value }) => sum + value, 0) >= least;
        fc.pre(isFailing(items));
        const found = await ddmin(items, (some) => Promise.resolve(isFailing(some)));
        expect(isFailing(found)).toBe(true);
        for (const item of found) {
          expect(isFailing(found.filter((other) => other !== item))).toBe(false);
        }
      }),
    );
  });

  it('no part is tried twice', async () => {
    const seen: string[] = [];
    await ddmin(['a', 'b', 'c', 'd', 'e', 'f', 'g'], (some) => {
      seen.push(some.join(''));
      return Promise.resolve(some.includes('b') && some.includes('f'));
    });
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('the least number that fails is found', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000), fc.nat(1_000), async (least, more) => {
        const isFailing = (n: number): Promise<boolean> => Promise.resolve(n >= least);
        expect(await findLeast(0, least + more, isFailing)).toBe(least);
      }),
    );
  });
});

describe('shrinking of a schedule', () => {
  const given: Schedule<string> = {
    faults: ['lock', 'kill', 'cut', 'stop', 'clock', 'kill again'],
    operations: 10_000,
  };
  const isFailing = ({ faults, operations }: Schedule<string>): boolean =>
    faults.includes('cut') && faults.includes('clock') && operations >= 300;

  it('the shortest schedule that fails is found', async () => {
    const said: string[] = [];
    const { schedule, runs } = await shrinkSchedule(given, {
      run: (some) => Promise.resolve(isFailing(some)),
      ...{ tries: 1, maxRuns: 100, say: (line) => said.push(line) },
    });
    expect(schedule).toEqual({ faults: ['cut', 'clock'], operations: 300 });
    expect(said).toHaveLength(runs);
    expect(said[0]).toBe('run 1: 6 faults, 10000 operations: a violation');
  });

  it('a failure that needs luck is found by several tries', async () => {
    let runs = 0;
    const { schedule } = await shrinkSchedule(given, {
      run: (some) => Promise.resolve((runs += 1) % 3 === 0 && isFailing(some)),
      ...{ tries: 3, maxRuns: 1_000, say: silent },
    });
    expect(schedule).toEqual({ faults: ['cut', 'clock'], operations: 300 });
  });

  it('after the last run that is allowed, the shortest so far is given', async () => {
    const { schedule, runs } = await shrinkSchedule(given, {
      run: (some) => Promise.resolve(isFailing(some)),
      ...{ tries: 1, maxRuns: 20, say: silent },
    });
    expect(runs).toBe(20);
    expect(schedule && isFailing(schedule)).toBe(true);
    expect(schedule?.faults.length).toBeLessThan(given.faults.length);
  });

  it('a schedule that does not fail again gives none', async () => {
    const options = { run: () => Promise.resolve(false), tries: 2, maxRuns: 100, say: silent };
    expect(await shrinkSchedule(given, options)).toEqual({ schedule: undefined, runs: 2 });
  });
});
