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
