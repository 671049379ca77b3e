import { expect, it } from 'vitest';

import { splitByBytes } from './split-by-bytes.ts';

const split = (sizes: readonly number[]) => [...splitByBytes(sizes, 10, (size) => size)];

it('items are split into chunks that stay within the limit, in their order', () => {
  expect(split([4, 6, 1, 9, 2])).toEqual([[4, 6], [1, 9], [2]]);
});

it('an item above the limit is a chunk of its own', () => {
  expect(split([1, 99, 1])).toEqual([[1], [99], [1]]);
});

it('no items give no chunk', () => {
  expect(split([])).toEqual([]);
});

it('items that fill a chunk to the byte stay in it, and one of size 0 goes with the others', () => {
  expect(split([10, 0, 1])).toEqual([[10, 0], [1]]);
  expect(split([5, 5, 5])).toEqual([[5, 5], [5]]);
  expect(split([99, 0])).toEqual([[99], [0]]);
});
