import { expect, it } from 'vitest';

import { prepareRow } from './prepare.ts';
import { checkRow, isValid } from './rows/check.ts';
import { createKeyMaker } from './rows/keys.ts';

it('an unknown address is refused without saying whether someone has it', () => {
  const cells = { operation: 'deposit', amount: '1.00', user: 'shop@example.com', key: 'k' };
  const defaults = {
    user: undefined,
    currency: 'BRL',
    isStaff: false,
    isKeyNeeded: false,
    isGroup: false,
  };
  const checked = checkRow({ row: 1, cells }, defaults);
  if (!isValid(checked)) throw new Error(checked.message);
  const refused = prepareRow(checked, new Map([['', 'me']]), createKeyMaker(undefined));
  expect(refused).toMatchObject({
    reason: 'USER_NOT_FOUND',
    message:
      'no user that you may act for has the e-mail address shop@example.com, or it is not verified',
  });
});
