import { expect, it } from 'vitest';

import { findSimilar, suggest } from './suggest.ts';

const roles = ['customer', 'operator', 'admin'];

it('a misspelt word is recognised: changed, missing, additional and swapped letters', () => {
  for (const typed of ['custoner', 'custmer', 'custommer', 'cutsomer', 'CUSTOMER', 'cust']) {
    expect(findSimilar(typed, roles), typed).toEqual(['customer']);
  }
});

it('swapped letters of a short code are one mistake', () => {
  expect(suggest('BLR', ['BRL', 'EUR', 'USD'])).toBe('did you mean BRL?');
});

it('all words at the same distance are suggested, in alphabetical order', () => {
  expect(suggest('lis', ['list', 'lisp', 'use'])).toBe('did you mean lisp or list?');
  expect(suggest('xa', ['xb', 'xc'])).toBeUndefined();
  expect(suggest('axx', ['bxx', 'axc', 'dxx'])).toBe('did you mean axc, bxx or dxx?');
});

it('nothing is suggested for a word without any similarity, an empty one, or no known words', () => {
  expect(suggest('banana', roles)).toBeUndefined();
  expect(suggest('', roles)).toBeUndefined();
  expect(suggest('admin', [])).toBeUndefined();
});
