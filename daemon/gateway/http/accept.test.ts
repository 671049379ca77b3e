import { expect, it } from 'vitest';

import { chooseType } from './accept.ts';

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
