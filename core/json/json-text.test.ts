import fc from 'fast-check';
import { expect, it } from 'vitest';

import { maxDepth, maxValues, parseJson } from './json-text.ts';

const problemOf = (text: string): string => {
  const parsed = parseJson(text);
  return parsed.ok ? 'none' : parsed.problem.kind;
};

it.each([
  ['90071992547409.93', 'inexact-number'],
  ['[1,-1234567890.1234567]', 'inexact-number'],
  ['1e400', 'inexact-number'],
  ['1e-400', 'inexact-number'],
  ['-5e-324', 'inexact-number'],
  ['123456789012345', 'none'],
  ['0.00000000000000000000', 'none'],
  ['100000000000000000000', 'none'],
  ['-0', 'none'],
  ['{"a":1,"a":2}', 'duplicate-key'],
  ['{"a":1,"b":2,"\\u0062":3}', 'duplicate-key'],
  ['{"a":{"a":1},"b":{"a":1}}', 'none'],
  ['[{"a":1},{"a":1}]', 'none'],
  ['{"__proto__":1}', 'reserved-key'],
  ['{"\\u005f_proto__":1}', 'reserved-key'],
  ['{"a":"__proto__"}', 'none'],
  ['"\\ud800"', 'half-character'],
  ['{"\\udc00":1}', 'half-character'],
  ['"\\ud83d\\ude00"', 'none'],
  ['"\\\\ud800"', 'none'],
  ['', 'syntax'],
  ['{', 'syntax'],
  ['"', 'syntax'],
  ['"\\', 'syntax'],
  ['{"\\x":1}', 'syntax'],
  ['tru', 'syntax'],
  ['01', 'syntax'],
  ['\ufeff{}', 'syntax'],
  ['NaN', 'syntax'],
  [`${'['.repeat(maxDepth)}${']'.repeat(maxDepth)}`, 'none'],
  [`${'['.repeat(maxDepth + 1)}${']'.repeat(maxDepth + 1)}`, 'too-deep'],
  ['{"a":'.repeat(maxDepth + 1), 'too-deep'],
  [`[${'1,'.repeat(maxValues - 1)}1]`, 'none'],
  [`[${'1,'.repeat(maxValues)}1]`, 'too-many'],
])('%.40s has the problem: %s', (text, problem) => {
  expect(problemOf(text)).toBe(problem);
});

it('a text without these problems is parsed as JSON.parse does, with and without blanks', () => {
  const value = fc.jsonValue({ maxDepth: 8 });
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 2), (json, indent) => {
      const text = JSON.stringify(json, undefined, indent);
      const parsed = parseJson(text);
      if (parsed.ok) expect(parsed.value).toEqual(JSON.parse(text));
      else expect(['inexact-number', 'half-character']).toContain(parsed.problem.kind);
    }),
    { seed: 1 },
  );
});

it('no text makes the parser throw, and none that JSON.parse refuses is taken', () => {
  const pieces = ['{', '}', '[', ']', ',', ':', '"', '\\', 'u', 'd8', '1', 'e', '-', 'tru', ' '];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 30 }), (parts) => {
      const text = parts.join('');
      if (parseJson(text).ok) expect(() => JSON.parse(text) as unknown).not.toThrow();
    }),
    { seed: 2, numRuns: 2_000 },
  );
});
