import fc from 'fast-check';
import { expect, it } from 'vitest';

import { findNumberText, isExactNumber } from './number-text.ts';

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
