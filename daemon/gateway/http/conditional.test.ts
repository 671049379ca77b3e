import { describe, expect, it } from 'vitest';

import { isUnchanged, readRange } from './conditional.ts';

describe('If-None-Match', () => {
  it.each([
    [undefined, false],
    ['"a"', true],
    ['W/"a"', true],
    ['"b", "a"', true],
    ['*', true],
    ['"b"', false],
    ['a', false],
    ['', false],
  ])('with the value %s the answer of the tag "a" is unchanged: %s', (header, expected) => {
    expect(isUnchanged(header, '"a"')).toBe(expected);
  });
});

describe('Range', () => {
  it.each([
    ['bytes=0-0', { start: 0, end: 1 }],
    ['bytes=2-5', { start: 2, end: 6 }],
    ['BYTES=2-', { start: 2, end: 10 }],
    ['bytes=2-99', { start: 2, end: 10 }],
    ['bytes=-3', { start: 7, end: 10 }],
    ['bytes=-99', { start: 0, end: 10 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=10-11', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    [undefined, undefined],
    ['bytes=5-2', undefined],
    ['bytes=-', undefined],
    ['bytes=0-1,3-4', undefined],
    ['lines=0-1', undefined],
    ['bytes=a-b', undefined],
    ['bytes=0x1-2', undefined],
  ])('the value %s of a file of 10 bytes is %j', (header, expected) => {
    expect(readRange(header, 10)).toEqual(expected);
  });

  it.each(['bytes=0-', 'bytes=-1', 'bytes=0-0'])(
    'the value %s of an empty file is unsatisfiable',
    (header) => {
      expect(readRange(header, 0)).toBe('unsatisfiable');
    },
  );
});
