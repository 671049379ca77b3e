import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  absoluteMinor,
  amountLimitMinor,
  formatMinor,
  parseAmount,
  readAmount,
  readNumber,
} from './money.ts';

describe('parseAmount', () => {
  it.each([
    ['zero', '0', 2],
    ['zero with decimals', '0.00', 2],
    ['a minus', '-5', 2],
    ['a plus', '+1', 2],
    ['three decimals in BRL', '1.999', 2],
    ['a third decimal of zero', '1.990', 2],
    ['any decimal in JPY', '1.0', 0],
    ['five decimals in CLF', '0.00001', 4],
    ['an exponent', '1e3', 2],
    ['a comma', '1,5', 2],
    ['thousands separated', '1,000.00', 2],
    ['an underscore', '1_000', 2],
    ['hexadecimal', '0x10', 2],
    ['NaN', 'NaN', 2],
    ['Infinity', 'Infinity', 2],
    ['no whole part', '.5', 2],
    ['no decimals behind the point', '1.', 2],
    ['two points', '1.2.3', 2],
    ['a point alone', '.', 2],
    ['nothing', '', 2],
    ['a blank alone', ' ', 2],
    ['a blank before', ' 1', 2],
    ['a blank behind', '1 ', 2],
    ['a blank inside', '1 000', 2],
    ['a line feed behind', '1\n', 2],
    ['a no-break space', '1\u00a0000', 2],
    ['leading zeros', '007', 2],
    ['a second zero', '00', 2],
    ['leading zeros before decimals', '01.50', 2],
    ['Arabic-Indic digits', '\u0661\u0662', 2],
    ['full-width digits', '\uff11\uff12', 2],
    ['a full-width point', '1\uff0e50', 2],
    ['twenty digits', '12345678901234567890', 2],
    ['10^18 minor units', '10000000000000000.00', 2],
    ['10^18 without decimals', '1000000000000000000', 0],
    ['a million digits', '9'.repeat(1_000_000), 2],
  ])('parseAmount refuses %s', (_what, text, exponent) => {
    const parsed = parseAmount(text, exponent);
    expect(parsed.ok).toBe(false);
    expect(parsed).toHaveProperty('problem', expect.stringMatching(/^[a-z]/));
  });

  it.each([
    ['1', 2, 100n],
    ['159.99', 2, 15_999n],
    ['0.01', 2, 1n],
    ['1.5', 2, 150n],
    ['10', 0, 10n],
    ['0.001', 3, 1n],
    ['1.0001', 4, 10_001n],
    ['9999999999999999.99', 2, amountLimitMinor - 1n],
    ['999999999999999999', 0, amountLimitMinor - 1n],
  ])('parseAmount reads %s with %i decimals', (text, exponent, minor) => {
    expect(parseAmount(text, exponent)).toEqual({ ok: true, minor });
  });

  it('parseAmount names the number of decimals of the currency in its problem', () => {
    expect(parseAmount('1.999', 2)).toHaveProperty(
      'problem',
      expect.stringContaining('at most 2 decimals'),
    );
    expect(parseAmount('1.5', 0)).toHaveProperty('problem', expect.stringContaining('no decimals'));
  });
});

describe('formatMinor', () => {
  it.each([
    [15_999n, 2, '159.99'],
    [5n, 2, '0.05'],
    [0n, 2, '0.00'],
    [-1n, 2, '-0.01'],
    [-12_345n, 3, '-12.345'],
    [7n, 0, '7'],
    [-7n, 0, '-7'],
    [1n, 4, '0.0001'],
    [9_223_372_036_854_775_807n, 2, '92233720368547758.07'],
  ])('formatMinor writes %s with %i decimals as %s', (minor, exponent, text) => {
    expect(formatMinor(minor, exponent)).toBe(text);
  });
});

it.each([0, 2, 3, 4])('an amount survives formatMinor and parseAmount, exponent %i', (exponent) => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: amountLimitMinor - 1n }), (minor) => {
      expect(parseAmount(formatMinor(minor, exponent), exponent)).toEqual({ ok: true, minor });
    }),
  );
});

it('any text that parseAmount accepts is plain digits within the limit', () => {
  const textArbitrary = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(...Array.from('0123456789.,-+e ')), maxLength: 24 }),
  );
  fc.assert(
    fc.property(textArbitrary, fc.constantFrom(0, 2, 3, 4), (text, exponent) => {
      const parsed = parseAmount(text, exponent);
      if (!parsed.ok) return;
      expect(text).toMatch(/^[0-9]+(\.[0-9]+)?$/);
      expect(parsed.minor > 0n && parsed.minor < amountLimitMinor).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

describe('amounts that come as JSON', () => {
  it('a text is read as it stands, and a number as exactly that number', () => {
    expect(readAmount('12.50', 2)).toEqual({ ok: true, minor: 1_250n });
    expect(readAmount(12.5, 2)).toEqual({ ok: true, minor: 1_250n });
    expect(readAmount(100, 2, '1e2')).toEqual({ ok: true, minor: 10_000n });
    expect(readAmount('1e2', 2)).toMatchObject({ ok: false });
  });

  it('a number that was rounded when it was parsed is refused, with what to write', () => {
    const source = '0.30000000000000004';
    const rounded = { ok: false, problem: expect.stringContaining('write it as a text') as string };
    expect(readAmount(Number(source), 2, source)).toEqual(rounded);
    expect(readNumber(0.1 + 0.2)).toEqual(rounded);
  });

  it('a number that its source does not say is refused', () => {
    expect(readNumber(1, '2')).toMatchObject({ ok: false });
    expect(readNumber(1, '1')).toEqual({ ok: true, text: '1' });
  });
});

it('the absolute value of an amount has no sign', () => {
  expect([-5n, 0n, 5n].map(absoluteMinor)).toEqual([5n, 0n, 5n]);
});
