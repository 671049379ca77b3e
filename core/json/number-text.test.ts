import fc from 'fast-check';
import { expect, it } from 'vitest';

import {
  endOfNumber,
  endOfString,
  findNumberText,
  isExactNumber,
  isNumberStart,
} from './number-text.ts';

it.each([
  ['{"amount":1e2}', ['amount'], '1e2'],
  ['{"amount" :\n -0.50 }', ['amount'], '-0.50'],
  ['{"a":{"b":{"c":90071992547409.93}}}', ['a', 'b', 'c'], '90071992547409.93'],
  ['{"\\u0061mount":7}', ['amount'], '7'],
  ['{"amount":1,"amount":2}', ['amount'], '2'],
  ['{"a":{"b":1},"a":{"b":2}}', ['a', 'b'], '2'],
  ['{"x":{"amount":1},"amount":2,"y":[{"amount":3}]}', ['amount'], '2'],
  ['{"a":[{"b":1}]}', ['a', 'b'], undefined],
  ['[{"amount":1}]', ['amount'], undefined],
  ['{"amount":[1]}', ['amount'], undefined],
  ['{"x":"\\"amount\\":1","amount":"3"}', ['amount'], undefined],
  ['{"a":"amount","b":1}', ['amount'], undefined],
  ['{}', ['amount'], undefined],
  ['12', ['amount'], undefined],
  ['{"a":1,"b":{"a":2}}', ['b', 'a'], '2'],
  ['{"b":{"x":{"a":1}},"a":2}', ['b', 'a'], undefined],
  ['{"a":{"b":[{"b":1}],"b":2}}', ['a', 'b'], '2'],
  ['{"a":{"c":1},"b":2}', ['a', 'b'], undefined],
  ['{"a":{"b":{"b":1}}}', ['a', 'b'], undefined],
  ['{"a":["b",1],"b":2}', ['a'], undefined],
  ['{"a":"b","b":7}', ['b'], '7'],
  ['{"a":true,"b":1}', ['a'], undefined],
  ['{"a":1E+2 }', ['a'], '1E+2'],
  ['{"a"\t:\t1}', ['a'], '1'],
  ['[[{"a":1}]]', ['a'], undefined],
  ['{"":1}', [''], '1'],
  ['{"a":1}', [], undefined],
])('in %s the number at %j is written %s', (text, path, found) => {
  expect(findNumberText(text, path)).toBe(found);
});

it('the text of a number is found wherever JSON.parse finds the number', () => {
  const key = fc.constantFrom('a', 'b', '"');
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.double({ noDefaultInfinity: true, noNaN: true }),
      fc.string(),
      fc.constantFrom(true, null, '{"a":1}', ':1'),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
    ),
  }));
  let found = 0;
  fc.assert(
    fc.property(
      fc.dictionary(key, tree),
      fc.array(key, { minLength: 1, maxLength: 3 }),
      (value, path) => {
        const text = JSON.stringify(value, undefined, 1);
        const parsed = path.reduce<unknown>(
          (at, name) =>
            typeof at === 'object' && at !== null && !Array.isArray(at) && Object.hasOwn(at, name)
              ? (at as Record<string, unknown>)[name]
              : undefined,
          JSON.parse(text),
        );
        const source = findNumberText(text, path);
        if (typeof parsed === 'number') found += 1;
        expect(source === undefined ? undefined : Number(source)).toBe(
          typeof parsed === 'number' ? parsed : undefined,
        );
      },
    ),
    { numRuns: 5_000, seed: 4 },
  );
  expect(found).toBeGreaterThan(50);
});

it('a number that is exact has, as a double, the digits that were written', () => {
  const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 17 });
  fc.assert(
    fc.property(digits, fc.integer({ min: 0, max: 17 }), (all, decimals) => {
      const padded = all.join('').padStart(decimals + 1, '0');
      const place = padded.length - decimals;
      const whole = padded.slice(0, place).replace(/^0+(?=\d)/, '');
      const text = decimals > 0 ? `${whole}.${padded.slice(place)}` : whole;
      fc.pre(isExactNumber(text));
      expect(toScaled(toPlain(Number(text)))).toBe(toScaled(text));
    }),
    { seed: 5 },
  );
});

/** In units of 10^-40. */
function toScaled(text: string): bigint {
  const [whole = '', decimals = ''] = text.split('.');
  return BigInt(whole + decimals.padEnd(40, '0'));
}

/** The shortest decimal of a double, without an exponent. */
function toPlain(value: number): string {
  const [mantissa = '', exponent = '0'] = String(value).split('e-');
  const digits = mantissa.replace('.', '');
  return exponent === '0' ? mantissa : `0.${'0'.repeat(Number(exponent) - 1)}${digits}`;
}

it.each([
  ['123456789012345', true],
  ['1234567890123456', false],
  ['-12345678901234', true],
  ['-123456789012345', true],
  ['-1234567890123456', false],
  ['123456789012345000000', true],
  ['0.00000000000000000000123456789012345', true],
  ['0.0000123456789012345678', false],
  ['1e2', true],
  ['1E2', true],
  ['1.5e308', true],
  ['1e309', false],
  ['-1e309', false],
  ['1e-400', false],
  ['2.3e-308', true],
  ['1e-310', false],
  ['0e-999', true],
  ['0.0', true],
  ['-0', true],
])('JSON.parse keeps the number %s: %j', (text, isExact) => {
  expect(isExactNumber(text)).toBe(isExact);
  // As it stands in a text.
  expect(isExactNumber(`{"e":${text}}`, 5, 5 + text.length)).toBe(isExact);
});

it('a number ends before the first character that is not of one', () => {
  expect(endOfNumber('[-1.5e+3,2]', 1)).toBe(8);
  expect(endOfNumber('12', 0)).toBe(2);
  expect(endOfNumber('1E-5}', 0)).toBe(4);
  expect(endOfNumber('7]', 0)).toBe(1);
});

it('a number begins with a digit or a minus', () => {
  const starts = Array.from({ length: 128 }, (_, code) => code).filter(isNumberStart);
  expect(String.fromCharCode(...starts)).toBe('-0123456789');
});

it.each([
  ['"ab" x', 0, 4],
  ['"" x', 0, 2],
  ['x"a\\"b"', 1, -7],
  ['"a\\\\"b', 0, -5],
  ['"open', 0, 5],
  ['"open\\"', 0, -7],
])('the string in %j ends at its closing quote', (text, start, end) => {
  expect(endOfString(text, start)).toBe(end);
});
