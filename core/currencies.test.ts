import { describe, expect, it } from 'vitest';

import { currencyCodes, exponentOf, findExponent, isWithdrawn } from './currencies.ts';

describe('decimals by ISO 4217, not by Intl', () => {
  it.each([
    ['BRL', 2],
    ['HUF', 2],
    ['IDR', 2],
    ['COP', 2],
    ['AFN', 2],
    ['JPY', 0],
    ['KRW', 0],
    ['CLP', 0],
    ['ISK', 0],
    ['UGX', 0],
    ['KWD', 3],
    ['TND', 3],
    ['CLF', 4],
    ['UYW', 4],
  ])('%s has %i decimals', (code, exponent) => {
    expect(findExponent(code)).toBe(exponent);
    expect(exponentOf(code)).toBe(exponent);
  });
});

it.each(['XAU', 'XAG', 'XDR', 'XXX', 'XTS', 'XUA', 'brl', 'BRL ', '', 'AAA', 'constructor'])(
  'there is no currency %j',
  (code) => {
    expect(findExponent(code)).toBeUndefined();
    expect(() => exponentOf(code)).toThrow(/unknown currency/);
  },
);

it.each([
  ['HRK', 2],
  ['SLL', 2],
  ['ZWL', 2],
  ['VEF', 2],
  ['CUC', 2],
  ['ANG', 2],
  ['BGN', 2],
  ['BYR', 0],
])('the withdrawn currency %s is read with %i decimals', (code, exponent) => {
  expect(isWithdrawn(code)).toBe(true);
  expect(findExponent(code)).toBe(exponent);
});

it('every currency code is three capitals, in alphabetical order', () => {
  expect(currencyCodes.filter((code) => !/^[A-Z]{3}$/.test(code))).toEqual([]);
  expect([...currencyCodes].sort()).toEqual(currencyCodes);
});

it('the list has as many current currencies with 0, 2, 3 and 4 decimals as ISO 4217', () => {
  const current = currencyCodes.filter((code) => !isWithdrawn(code));
  const counts = [0, 2, 3, 4].map(
    (exponent) => current.filter((code) => findExponent(code) === exponent).length,
  );
  expect(counts).toEqual([17, 139, 7, 2]);
});
