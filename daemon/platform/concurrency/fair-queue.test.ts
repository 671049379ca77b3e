import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createFairQueue } from './fair-queue.ts';

const key = fc.constantFrom('a', 'b', 'c', 'd');
const items = fc.array(fc.tuple(key, key), { maxLength: 60 });

function fill(paths: readonly (readonly [string, string])[]) {
  const queue = createFairQueue<{ readonly path: readonly string[]; readonly number: number }>();
  paths.forEach((path, number) => queue.push(path, { path, number }));
  return queue;
}

describe('a fair queue', () => {
  it('a fair queue serves networks in turn, and within each its accounts in turn', () => {
    const queue = fill([
      ...['1', '1', '1', '2'].map((account) => ['attacker', account] as const),
      ['victim', '1'],
      ['victim', '1'],
    ]);
    const served = Array.from({ length: 6 }, () => queue.shift()?.path.join('/'));
    expect(served).toEqual([
      ...['attacker/1', 'victim/1', 'attacker/2', 'victim/1', 'attacker/1', 'attacker/1'],
    ]);
  });

  it('between two items of a network, a fair queue serves each other waiting network', () => {
    fc.assert(
      fc.property(items, (paths) => {
        const queue = fill(paths);
        const left = new Map<string, number>();
        for (const [network] of paths) left.set(network, (left.get(network) ?? 0) + 1);
        let sinceOf = new Map<string, number>();
        for (let i = 0; i < paths.length; i += 1) {
          const [network = ''] = queue.shift()?.path ?? [];
          left.set(network, (left.get(network) ?? 0) - 1);
          sinceOf = new Map([...sinceOf].map(([other, since]) => [other, since + 1]));
          sinceOf.set(network, 0);
          for (const [other, count] of left) {
            if (count > 0) expect(sinceOf.get(other) ?? i).toBeLessThan(4);
          }
        }
        expect(queue.shift()).toBeUndefined();
      }),
    );
  });

  it('a fair queue returns each item once, in order within its path', () => {
    fc.assert(
      fc.property(items, (paths) => {
        const queue = fill(paths);
        const last = new Map<string, number>();
        for (let size = paths.length; size > 0; size -= 1) {
          expect(queue.size()).toBe(size);
          const { path, number } = queue.shift()!;
          expect(number).toBeGreaterThan(last.get(path.join('/')) ?? -1);
          last.set(path.join('/'), number);
        }
        expect(queue.size()).toBe(0);
      }),
    );
  });

  it('a fair queue gives up the newest item of an account of its longest network', () => {
    fc.assert(
      fc.property(
        items.filter((paths) => paths.length > 0),
        (paths) => {
          const queue = fill(paths);
          const longest = queue.longest();
          const { path, number } = queue.popLongest()!;
          const [network = '', account = ''] = path;
          const inNetwork = paths.filter(([other]) => other === network);
          expect(inNetwork).toHaveLength(longest);
          const inAccount = inNetwork.filter(([, other]) => other === account);
          expect(paths.lastIndexOf(inAccount.at(-1)!)).toBe(number);
          expect(queue.sizeOf([network])).toBe(longest - 1);
          expect(queue.sizeOf(path)).toBe(inAccount.length - 1);
        },
      ),
    );
  });

  it('a fair queue sweeps unwanted items, and its size stays right', () => {
    fc.assert(
      fc.property(items, (paths) => {
        const queue = fill(paths);
        const swept = queue.sweep(({ number }) => number % 2 === 0);
        expect(swept).toHaveLength(Math.ceil(paths.length / 2));
        expect(queue.size()).toBe(Math.floor(paths.length / 2));
        while (queue.size() > 0) expect((queue.shift()?.number ?? 0) % 2).toBe(1);
      }),
    );
  });
});

describe('paths of a fair queue', () => {
  it('the size below a path is that of all that begin with it', () => {
    const queue = fill([
      ['a', '1'],
      ['a', '2'],
      ['a', '2'],
      ['b', '1'],
    ]);
    const sizes = [[], ['a'], ['a', '2'], ['b'], ['c'], ['a', '9'], ['c', '1']].map(queue.sizeOf);
    expect(sizes).toEqual([4, 3, 2, 1, 0, 0, 0]);
    expect(queue.longest()).toBe(3);
  });

  it('an item that is first goes before all others of its path, and of no other', () => {
    const queue = createFairQueue<string>();
    queue.push(['a'], 'a1');
    queue.push(['b'], 'b1');
    queue.push(['a'], 'a0', true);
    expect([queue.shift(), queue.shift(), queue.shift(), queue.shift()]).toEqual([
      ...['a0', 'b1', 'a1', undefined],
    ]);
  });

  it('a queue without paths is a plain queue', () => {
    const queue = createFairQueue<number>();
    for (const item of [1, 2, 3]) queue.push([], item);
    expect([queue.longest(), queue.popLongest(), queue.shift(), queue.size()]).toEqual([
      3, 3, 1, 1,
    ]);
  });

  it('an empty queue gives nothing, and its sizes stay 0', () => {
    const queue = createFairQueue<number>();
    expect([queue.shift(), queue.popLongest(), queue.longest(), queue.size()]).toEqual([
      ...[undefined, undefined, 0, 0],
    ]);
    expect(queue.sweep(() => true)).toEqual([]);
    queue.push(['a'], 1);
    expect([queue.popLongest(), queue.popLongest(), queue.sizeOf(['a']), queue.longest()]).toEqual([
      ...[1, undefined, 0, 0],
    ]);
  });

  it('a sweep leaves the sizes of each path, and what stays in its order', () => {
    const queue = fill([
      ['a', '1'],
      ['a', '1'],
      ['b', '1'],
      ['a', '2'],
    ]);
    const swept = queue.sweep(({ number }) => number === 0 || number === 2);
    expect(swept.map(({ number }) => number).sort()).toEqual([0, 2]);
    expect([['a'], ['a', '1'], ['b'], ['a', '2']].map(queue.sizeOf)).toEqual([2, 1, 0, 1]);
    expect([queue.shift()?.number, queue.shift()?.number]).toEqual([1, 3]);
  });

  it('of branches of equal size the first is the longest, and the other one is next', () => {
    const queue = fill([
      ['a', '1'],
      ['b', '1'],
    ]);
    expect(queue.popLongest()?.path).toEqual(['a', '1']);
    expect(queue.shift()?.path).toEqual(['b', '1']);
    expect(queue.shift()).toBeUndefined();
  });
});
