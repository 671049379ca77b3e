import fc from 'fast-check';
import { expect, it } from 'vitest';

import { matchesTopic } from './topic-pattern.ts';

it.each([
  ['transaction.created', 'transaction.created', true],
  ['transaction.created', 'transaction.rejected', false],
  ['transaction.*', 'transaction.created', true],
  ['transaction.*', 'transaction', false],
  ['transaction.*', 'transaction.created.again', false],
  ['transaction.#', 'transaction', true],
  ['transaction.#', 'transaction.created.again', true],
  ['#', '', true],
  ['*', '', false],
  ['', '', true],
  ['#.created', 'created', true],
  ['#.created', 'a.created.b', false],
  ['#.a.#.b', 'x.a.a.y.b', true],
  ['*.*', 'a.', true],
  ['a.**', 'a.b', false],
])('the pattern "%s" and the key "%s" match: %s', (pattern, key, isMatch) => {
  expect(matchesTopic(pattern, key)).toBe(isMatch);
});

/** The rules as RabbitMQ states them, one word after the other. */
function matchesByRule(pattern: readonly string[], key: readonly string[]): boolean {
  const [part, ...parts] = pattern;
  const [word, ...words] = key;
  if (part === undefined) return word === undefined;
  if (part === '#') {
    return matchesByRule(parts, key) || (word !== undefined && matchesByRule(pattern, words));
  }
  return word !== undefined && (part === '*' || part === word) && matchesByRule(parts, words);
}

const words = fc.array(fc.constantFrom('a', 'b', 'created'), { minLength: 1, maxLength: 5 });
const parts = fc.array(fc.constantFrom('a', 'b', 'created', '*', '#'), {
  minLength: 1,
  maxLength: 5,
});

it('any pattern matches the keys that the rules of AMQP say', () => {
  fc.assert(
    fc.property(parts, words, (pattern, key) => {
      expect(matchesTopic(pattern.join('.'), key.join('.'))).toBe(matchesByRule(pattern, key));
    }),
    { numRuns: 2_000 },
  );
});

it('a pattern with 40 # is matched in a short time', () => {
  const key = Array(100).fill('a').join('.');
  expect(matchesTopic(`${'#.a.'.repeat(40)}b`, key)).toBe(false);
});
