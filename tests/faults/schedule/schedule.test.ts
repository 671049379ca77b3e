import { describe, expect, it } from 'vitest';

import { groupBy } from '../checkers/group.ts';
import { faultKinds, partsOfFaults } from '../kinds/names.ts';
import { formatSchedule, parseSchedule, planFaults } from './schedule.ts';

const timing = { lockMs: 6_000, stopMs: [1_500, 3_000], mixMs: 4_000 } as const;
const plan = (seed: string, count: number) =>
  planFaults({ seed, kinds: faultKinds, count, timing });

describe('schedule of faults', () => {
  it('one seed gives the same faults, and a longer schedule begins with the shorter one', () => {
    expect(plan('a', 80)).toEqual(plan('a', 80));
    expect(plan('a', 200).slice(0, 80)).toEqual(plan('a', 80));
    expect(plan('b', 80)).not.toEqual(plan('a', 80));
  });

  it('a schedule has as many faults as wanted, numbered from 1, each kind alone first', () => {
    const faults = plan('seed', 100);
    expect(faults.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    const first = faults.slice(0, faultKinds.length);
    expect(first.map(({ kind }) => kind)).toEqual(faultKinds);
    expect(new Set(first.map(({ episode }) => episode)).size).toBe(faultKinds.length);
  });

  it('behind that, each episode has 2 to 4 faults on different parts', () => {
    const faults = plan('seed', 400).slice(faultKinds.length);
    const episodes = groupBy(faults, ({ episode }) => String(episode));
    // The last one may be cut off.
    for (const mix of [...episodes.values()].slice(0, -1)) {
      expect(mix.length).toBeGreaterThan(1);
      expect(mix.length).toBeLessThan(5);
      expect(new Set(mix.map(({ kind }) => partsOfFaults[kind])).size).toBe(mix.length);
    }
    expect(new Set(faults.map(({ kind }) => kind)).size).toBe(faultKinds.length);
  });

  it('a schedule that was printed is read back, and an unknown kind is refused', () => {
    const written = { seed: 'x"y', operations: 1_000, faults: [...plan('x', 30)] };
    const text = formatSchedule(written);
    expect(parseSchedule(text)).toEqual(written);
    expect(() => parseSchedule(text.replace('"locks"', '"lock"'))).toThrow();
  });
});
