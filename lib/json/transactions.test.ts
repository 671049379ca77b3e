import { expect, test } from 'vitest';

import { Direction, Transaction } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { toTransactionJson } from './transactions.ts';

const shown = (fields: Parameters<typeof Transaction.fromPartial>[0]): object => {
  const transaction = Transaction.fromPartial({ currency: 'BRL', amountMinor: 1_000n, ...fields });
  return toTransactionJson({ transaction, replayed: false, isDryRun: false });
};

test.each([
  [Direction.CREDIT, 'in'],
  [Direction.DEBIT, 'out'],
  [Direction.NONE, 'none'],
  [9 as Direction, 'unknown'],
])('direction %i of the wire is shown as %s, after the amount', (direction, name) => {
  const json = shown({ direction });
  expect(json).toMatchObject({ amount: '10.00', direction: name });
  const keys = Object.keys(json);
  expect(keys.indexOf('direction')).toBe(keys.indexOf('amount') + 1);
});

test.each([
  ['what is reserved is not available', 5_000n, 1_250n, '12.50', '37.50'],
  ['nothing is reserved any more', 5_000n, 0n, '0.00', '50.00'],
  ['an overdraft does not count', -500n, 1_000n, '10.00', '-15.00'],
])('%s', (_name, balanceAfterMinor, heldAfterMinor, heldAfter, availableAfter) => {
  expect(shown({ balanceAfterMinor, heldAfterMinor })).toMatchObject({ heldAfter, availableAfter });
});

test('where nothing was ever reserved, only the balance is shown', () => {
  const json = shown({ balanceAfterMinor: 5_000n });
  expect(json).toMatchObject({ balanceAfter: '50.00' });
  expect(JSON.parse(JSON.stringify(json))).not.toHaveProperty('availableAfter');
});
