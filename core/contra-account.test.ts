import { expect, it } from 'vitest';

import { findViaProblem } from './contra-account.ts';

it.each(['cash', 'bank-1', 'a', '0.9_z', 'x'.repeat(40), 'fees2', 'fee'])(
  '%j names an account outside',
  (via) => expect(findViaProblem(via)).toBeUndefined(),
);

it.each(['', 'Cash', 'a b', 'x'.repeat(41), 'é', 'a:b'])('%j names no account outside', (via) =>
  expect(findViaProblem(via)).toContain('1 to 40 characters'),
);

it('the account of fees is paid into by fees only', () => {
  expect(findViaProblem('fees')).toContain('only the operation fee');
});
