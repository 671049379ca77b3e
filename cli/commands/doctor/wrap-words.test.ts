import { expect, test } from 'vitest';

import { wrapWords } from './wrap-words.ts';

test('a text is broken at blanks, and no word is cut', () => {
  expect(wrapWords('the server does not speak TLS', 12)).toEqual([
    'the server',
    'does not',
    'speak TLS',
  ]);
  expect(wrapWords('/a/path/longer/than/that is whole', 10)).toEqual([
    '/a/path/longer/than/that',
    'is whole',
  ]);
  expect(wrapWords('all on one line', Infinity)).toEqual(['all on one line']);
});
