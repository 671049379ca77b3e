import { expect, test } from 'vitest';

import { listSegments, nextSegment, startOf } from './wal.ts';

const mebibyte = 1024 * 1024;
const defaultBytes = 16 * mebibyte;

test('the segments of a backup are those from its start to its end, across the end of a log', () => {
  const first = '0000000100000002000000FE';
  const last = '000000010000000300000001';
  expect(listSegments(first, last, defaultBytes)).toEqual([
    first,
    '0000000100000002000000FF',
    '000000010000000300000000',
    last,
  ]);
  expect(listSegments(first, first, defaultBytes)).toEqual([first]);
  expect(listSegments(last, first, defaultBytes)).toEqual([]);
});

test('a log has as many segments as fit into 4 GiB', () => {
  expect(nextSegment('000000010000000000000003', 1024 * mebibyte)).toBe('000000010000000100000000');
  expect(nextSegment('000000020000000000000003', mebibyte)).toBe('000000020000000000000004');
  expect(nextSegment('0000000100000000000000FF', defaultBytes)).toBe('000000010000000100000000');
});

test('the position of a segment is that of its first byte', () => {
  expect(startOf('0000000100000000000000A1', defaultBytes)).toBe('0/A1000000');
  expect(startOf('000000010000001C00000000', defaultBytes)).toBe('1C/0');
  expect(startOf('000000010000000000000002', 1024 * mebibyte)).toBe('0/80000000');
});
