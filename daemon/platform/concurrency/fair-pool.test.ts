import { beforeEach, describe, expect, it } from 'vitest';

import { createFairPool, type FairPool, type PoolMember } from './fair-pool.ts';

let nowMs = 0;
let ended: string[] = [];
beforeEach(() => {
  nowMs = 1_000;
  ended = [];
});

/** Idle since so many milliseconds; undefined: busy. */
const holding = (name: string, idleMs?: number): PoolMember => {
  const sinceMs = idleMs === undefined ? undefined : nowMs - idleMs;
  return { findIdleSinceMs: () => sinceMs, end: () => void ended.push(name) };
};
const pool = (all: number, ofOne: number, replacesOwn = false): FairPool =>
  createFairPool({ all, ofOne: () => ofOne, replacesOwn }, () => nowMs);
/** Acquires one permit for each name: `a1` is the first of holder `a`. */
const fill = (places: FairPool, idle: Readonly<Record<string, number | undefined>>): void => {
  for (const [name, idleMs] of Object.entries(idle)) {
    expect(places.acquire(name.charAt(0), holding(name, idleMs))).toBeTypeOf('object');
  }
};
const take = (places: FairPool, name: string): unknown =>
  places.acquire(name.charAt(0), holding(name));

describe('a pool', () => {
  it('a pool gives no holder more than its share, even if permits are free', () => {
    const places = pool(10, 2);
    fill(places, { a1: 500, a2: 500 });
    expect(take(places, 'a3')).toBe('own');
    expect(take(places, 'b1')).toBeTypeOf('object');
    expect(ended).toEqual([]);
  });

  it('a permit is returned once, however often it is released', () => {
    const places = pool(2, 2);
    const first = places.acquire('a', holding('a1'));
    fill(places, { b1: undefined });
    if (typeof first !== 'object') throw new Error('no place');
    first.release();
    first.release();
    expect(take(places, 'c1')).toBeTypeOf('object');
    nowMs += 1_000;
    expect(take(places, 'd1')).toBe('full');
  });

  it('a full pool ends the longest idle member of the largest holder for a smaller one', () => {
    const places = pool(6, 4);
    fill(places, { a1: 10, a2: 300, a3: 20, b1: 900, b2: 900, c1: 900 });
    expect(take(places, 'd1')).toBeTypeOf('object');
    expect(ended).toEqual(['a2']);
    // Now a and b have two each: of the largest, the one that has been idle for longest.
    expect(take(places, 'e1')).toBeTypeOf('object');
    expect(ended).toEqual(['a2', 'b1']);
  });

  it.each([
    [{ a1: 10, b1: 300, b2: 20, c1: 900 }, 'b1'],
    [{ b1: 300, b2: 20, a1: 10, c1: 900 }, 'b1'],
    [{ c1: 900, a1: 10, b1: 20, b2: 300 }, 'b2'],
    [{ a1: 5, a2: 7, b1: 9, b2: 8 }, 'b1'],
    [{ b1: 9, b2: 8, a1: 5, a2: 7 }, 'b1'],
    [{ a1: 5, a2: 9, b1: 9, b2: 8 }, 'a2'],
  ])('of the members %j, in any order of their holders, %s is ended', (idle, name) => {
    const places = pool(4, 4);
    fill(places, idle);
    expect(take(places, 'd1')).toBeTypeOf('object');
    expect(ended).toEqual([name]);
  });

  it('a search that found nothing holds for 20 ms, and for no smaller holder', () => {
    const places = pool(2, 2);
    fill(places, { a1: undefined, a2: undefined });
    expect(take(places, 'b1')).toBe('full');
    nowMs += 20;
    let searches = 0;
    const busy = { findIdleSinceMs: () => void (searches += 1), end: () => undefined };
    const one = pool(1, 1);
    one.acquire('a', busy);
    for (const passedMs of [0, 19, 1]) {
      nowMs += passedMs;
      one.acquire('b', busy);
    }
    expect(searches).toBe(2);
  });

  it('a pool knows how many of its places are taken', () => {
    const places = pool(3, 3);
    expect(places.size()).toBe(0);
    const first = places.acquire('a', holding('a1'));
    fill(places, { b1: 500 });
    expect(places.size()).toBe(2);
    if (typeof first === 'object') first.release();
    expect(places.size()).toBe(1);
  });

  it('a full pool ends no busy member: it takes the next largest holder with an idle one', () => {
    const places = pool(5, 3);
    fill(places, { a1: undefined, a2: undefined, a3: undefined, b1: 5, b2: undefined });
    expect(take(places, 'c1')).toBeTypeOf('object');
    expect(ended).toEqual(['b1']);
    nowMs += 1_000;
    expect(take(places, 'd1')).toBe('full');
    expect(ended).toEqual(['b1']);
  });

  it('a full pool ends no member of a holder that has no more than the newcomer', () => {
    const places = pool(4, 4);
    fill(places, { a1: 500, a2: 500, b1: 500, b2: 500 });
    expect(take(places, 'b3')).toBe('full');
    expect(ended).toEqual([]);
    expect(take(places, 'c1')).toBeTypeOf('object');
  });

  it('a pool may replace a member of the same holder, at its cap or if others have no more', () => {
    const places = pool(3, 2, true);
    fill(places, { a1: 5, a2: 50, b1: undefined });
    expect(take(places, 'a3')).toBeTypeOf('object');
    expect(ended).toEqual(['a2']);
    const even = pool(2, 2, true);
    fill(even, { a1: 5, b1: 50 });
    expect(take(even, 'a2')).toBeTypeOf('object');
    expect(ended).toEqual(['a2', 'a1']);
  });

  it('a pool admits an eleventh network though ten hold a tenth each', () => {
    const places = pool(2_000, 200, true);
    for (let network = 0; network < 10; network += 1) {
      for (let i = 0; i < 200; i += 1) {
        places.acquire(`network ${network}`, holding(`${network}`, 2_000 - i));
      }
    }
    for (let i = 0; i < 100; i += 1) {
      expect(places.acquire('eleventh', holding('eleventh'))).toBeTypeOf('object');
    }
    expect(ended).toHaveLength(100);
    expect(ended).not.toContain('eleventh');
    // Evenly: none of the ten pays for all.
    expect(new Set(ended).size).toBe(10);
  });

  it('a pool does not search again at once if no member was idle', () => {
    const places = pool(1, 1);
    let searches = 0;
    const busy = { findIdleSinceMs: () => void (searches += 1), end: () => undefined };
    places.acquire('a', busy);
    for (let i = 0; i < 100; i += 1) expect(take(places, 'b1')).toBe('full');
    expect(searches).toBe(1);
    nowMs += 1_000;
    expect(take(places, 'b1')).toBe('full');
    expect(searches).toBe(2);
  });
});
