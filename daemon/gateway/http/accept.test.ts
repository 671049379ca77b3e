import { expect, it } from 'vitest';

import { chooseEncoding, chooseType } from './accept.ts';

it.each([
  [undefined, 'application/json'],
  ['', 'application/json'],
  ['*/*', 'application/json'],
  ['text/*', 'text/csv'],
  ['TEXT/CSV', 'text/csv'],
  ['text/csv;q=0.5, application/json;q=0.4', 'text/csv'],
  ['application/json;q=0, */*', 'text/csv'],
  ['text/html, application/xhtml+xml, */*;q=0.8', 'application/json'],
  ['image/png', undefined],
  ['text/csv;q=0', undefined],
  ['text/csv;q=2', undefined],
])('the header Accept: %s prefers %s', (header, expected) => {
  expect(chooseType(header, ['application/json', 'text/csv'])).toBe(expected);
});

it.each([
  [undefined, undefined],
  ['', undefined],
  ['identity', undefined],
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip, deflate', 'gzip'],
  ['GZIP;q=0.5', 'gzip'],
  ['br;q=0.2, gzip;q=0.8', 'gzip'],
  ['br;q=0, *', 'gzip'],
  ['*', 'br'],
  ['br;q=0, gzip;q=0', undefined],
])('the header Accept-Encoding: %s gets the encoding %s', (header, expected) => {
  expect(chooseEncoding(header)).toBe(expected);
});
