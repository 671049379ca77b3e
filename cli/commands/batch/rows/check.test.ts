import { expect, it } from 'vitest';

import { checkRow, isValid, type RowDefaults } from './check.ts';
import type { RawRow } from './raw-row.ts';

const parent = '6f1c3f3e-0000-4000-8000-000000000001';
const defaults: RowDefaults = {
  ...{ currency: 'BRL', user: undefined, isStaff: false, isKeyNeeded: false },
};

const check = (cells: RawRow['cells'], over: Partial<RowDefaults> = {}) =>
  checkRow({ row: 7, cells }, { ...defaults, ...over });

it.each<[RawRow['cells'], object]>([
  [
    { operation: 'deposit', amount: '10.5' },
    { amountMinor: 1050n, currency: 'BRL' },
  ],
  [
    { operation: 'deposit', amount: '10', currency: 'JPY' },
    { amountMinor: 10n, currency: 'JPY' },
  ],
  [
    { operation: 'reversal', parent_id: parent.toUpperCase() },
    { parentId: parent, currency: '' },
  ],
  [
    { operation: 'cancellation', parent_id: parent, amount: '1' },
    { amountMinor: 100n, currency: 'BRL' },
  ],
  [{ operation: 'purchase', amount: '1', merchant: 'M' }, { merchant: 'M' }],
  [{ operation: 'deposit', amount: '1', user: 'Ana@Example.com' }, { user: 'ana@example.com' }],
  [
    { operation: 'deposit', amount: '1', user: ' ana@example.com\u00a0' },
    { user: 'ana@example.com' },
  ],
  [{ operation: 'deposit', amount: '1', user: ` ${parent.toUpperCase()} ` }, { user: parent }],
  [
    { operation: 'deposit', amount: '1', user: 'ana@b\u00fccher.de' },
    { user: 'ana@xn--bcher-kva.de' },
  ],
  [
    { operation: ' Deposit', amount: ' 1.5 ', currency: 'eur ' },
    { operation: 'deposit', amountMinor: 150n, currency: 'EUR' },
  ],
  [
    { operation: 'PURCHASE', amount: '1', merchant: ' Cafe\u0301 ', key: 'sala\u0301rio\t' },
    { operation: 'purchase', merchant: 'Caf\u00e9', key: 'sal\u00e1rio' },
  ],
  [{ operation: 'deposit', amount: '1', description: 'a\r\nb ' }, { description: 'a\nb' }],
  [
    { operation: 'deposit', amount: '7.5', currency: 'brl' },
    { text: { operation: 'deposit', amount: '7.50', currency: 'BRL', user: '' } },
  ],
])('the batch row %o is valid', (cells, expected) => {
  const row = check(cells);
  expect(isValid(row)).toBe(true);
  expect(row).toMatchObject({ row: 7, ...expected });
});

it.each<[RawRow['cells'], string, string, Partial<RowDefaults>?]>([
  [{}, 'INVALID_ARGUMENT', 'operation'],
  [{ operation: 'deposits', amount: '1' }, 'INVALID_ARGUMENT', 'operation'],
  [{ operation: 'constructor', amount: '1' }, 'INVALID_ARGUMENT', 'operation'],
  [{ operation: 'deposit' }, 'AMOUNT_INVALID', 'amount'],
  ...['1e3', '1,5', '+1', '.5', '1.', '1.999', 'NaN', '1 0', '-1', '0', '1'.repeat(30)].map(
    (amount): [RawRow['cells'], string, string] => [
      { operation: 'deposit', amount },
      'AMOUNT_INVALID',
      'amount',
    ],
  ),
  [{ operation: 'deposit', amount: '1.5', currency: 'JPY' }, 'AMOUNT_INVALID', 'amount'],
  [{ operation: 'deposit', amount: '1', currency: 'r$' }, 'CURRENCY_UNKNOWN', 'currency'],
  [{ operation: 'deposit', amount: '1', user: 'a@b@c' }, 'INVALID_ARGUMENT', 'user'],
  [
    { operation: 'deposit', amount: '1', user: ' \u00a0' },
    'USER_REQUIRED',
    'user',
    { isStaff: true },
  ],
  [{ operation: 'deposit', amount: '1', parent_id: parent }, 'INVALID_ARGUMENT', 'parent_id'],
  [{ operation: 'reversal' }, 'INVALID_ARGUMENT', 'parent_id'],
  [{ operation: 'reversal', parent_id: 'x' }, 'INVALID_ARGUMENT', 'parent_id'],
  [{ operation: 'deposit', amount: '1', merchant: 'M' }, 'INVALID_ARGUMENT', 'merchant'],
  [{ operation: 'deposit', amount: '1', description: 'a\0b' }, 'INVALID_ARGUMENT', 'description'],
  [{ operation: 'deposit', amount: '1', description: '\uFFFD' }, 'INVALID_ARGUMENT', 'description'],
  [{ operation: 'deposit', amount: '1', key: 'k'.repeat(256) }, 'INVALID_ARGUMENT', 'key'],
  [{ operation: 'deposit', amount: '1', user: 'ana' }, 'INVALID_ARGUMENT', 'user'],
  [{ operation: 'deposit', amount: '1' }, 'INVALID_ARGUMENT', 'key', { isKeyNeeded: true }],
  [{ operation: 'deposit', amount: '1' }, 'USER_REQUIRED', 'user', { isStaff: true }],
])('the batch row %j is refused: %s, field %s', (cells, reason, field, over) => {
  expect(check(cells, over)).toMatchObject({ row: 7, reason, field });
});

it('a batch row that could not be read is refused with the problem', () => {
  const raw = { row: 3, cells: {}, problem: 'is not JSON' };
  expect(checkRow(raw, defaults)).toMatchObject({
    row: 3,
    field: '',
    message: 'the row is not JSON',
  });
});
