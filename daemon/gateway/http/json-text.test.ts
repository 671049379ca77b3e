import fc from 'fast-check';
import { expect, it } from 'vitest';

import { parseJson } from './json-text.ts';

const problemOf = (text: string) => {
  const parsed = parseJson(text);
  return parsed.ok ? undefined : parsed.problem;
};

it.each([
  '{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}',
  '{"a":"a","b":"a"}',
  '[true,false,null,"{\\"a\\":1,\\"a\\":2}"]',
  '{"a\\\\":1,"a":2,"a\\"":3}',
  '{"a":"\\\\","b":"\\\\\\"","c":"x\\\\\\\\"}',
  '[123456789012345,-0.00012345678901234,100000000000000000000,1.5e300,0,-1,1E2]',
  ' \r\n\t{ "a" : [ ] , "b" : { } } ',
  '"a"',
  '12',
])('parseJson takes %s as JSON.parse does', (text) => {
  expect(parseJson(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
});

it.each([
  ['{"a":1,"a":2}', 'duplicate-key', 'a'],
  ['[{"b":1},{"a":{"c":1,"c":1}}]', 'duplicate-key', 'c'],
  ['{"a":{"b":1},"c":[1,"a"],"a":1}', 'duplicate-key', 'a'],
  ['{"a":1,"\\u0061":2}', 'duplicate-key', 'a'],
  ['{"a\\"":1,"a\\u0022":2}', 'duplicate-key', 'a"'],
  ['{"":1,"":2}', 'duplicate-key', ''],
  ['{"__proto__":1}', 'reserved-key', '__proto__'],
  ['[{"x":{"\\u005f_proto__":1}}]', 'reserved-key', '__proto__'],
  ['1234567890123456', 'inexact-number', '1234567890123456'],
  ['{"a":[0.1234567890123456]}', 'inexact-number', '0.1234567890123456'],
  ['[1,-90071992547409.93]', 'inexact-number', '-90071992547409.93'],
  ['{"a":1e400}', 'inexact-number', '1e400'],
])('parseJson refuses %s: %s', (text, kind, shown) => {
  expect(problemOf(text)).toEqual({ kind, text: shown });
});

it.each(['', '{', '{"a":1', '{a:1}', '[1,]', '"', '01', 'tru', '{"a":"\\"}'])(
  'parseJson refuses %j as syntax',
  (text) => {
    expect(problemOf(text)).toEqual({ kind: 'syntax' });
  },
);

it('parseJson takes what JSON.stringify writes, whatever the keys and texts', () => {
  const keys = fc.string({
    unit: fc.constantFrom('a', '"', '\\', '{', ',', ':', 'é', '\u{1f600}'),
  });
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      keys,
      fc.integer({ min: -1_000_000, max: 1_000_000 }),
      fc.boolean(),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(keys, tie('tree'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      const text = JSON.stringify(value);
      expect(parseJson(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
    }),
    { seed: 7, numRuns: 500 },
  );
});

it('parseJson finds a key that is given twice, whatever stands between', () => {
  const text = fc.string({ unit: fc.constantFrom('k', '"', '\\', '}', '{', '[', ']', ',', '1') });
  fc.assert(
    fc.property(text, text, (key, other) => {
      const name = JSON.stringify(`${key}.`);
      const between = JSON.stringify([{ deep: { other } }, other]);
      const twice = `[{${name}:${between},"other":${between},${name}:1}]`;
      expect(problemOf(twice)).toEqual({ kind: 'duplicate-key', text: `${key}.` });
    }),
    { seed: 11, numRuns: 300 },
  );
});
