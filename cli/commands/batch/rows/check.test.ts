import { expect, it } from 'vitest';

import { checkRow, isValid, type RowDefaults } from './check.ts';
import type { RawRow } from './raw-row.ts';

const parent = '6f1c3f3e-0000-4000-8000-000000000001';
const defaults: RowDefaults = {
  ...{ currency: 'BRL', user: undefined, isStaff: false, isKeyNeeded: false, isGroup: false },
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
  [
    { operation: 'transfer', amount: '1', user: parent, to: ' Bia@Example.com ' },
    { to: 'bia@example.com', metadata: {}, reference: undefined },
  ],
  [{ operation: 'deposit', amount: '1', via: 'itau' }, { via: 'itau' }],
  [
    { operation: 'hold', amount: '5', merchant: 'Sol', expires_in: '7d' },
    { merchant: 'Sol', expiresInSeconds: 604_800, expiresAt: undefined, keepsRest: false },
  ],
  [
    { operation: 'hold', amount: '5', to: parent, expires_at: '2026-11-29T12:00:00-03:00' },
    { to: parent, expiresInSeconds: undefined, expiresAt: new Date('2026-11-29T15:00:00Z') },
  ],
  [
    { operation: 'hold', amount: '5', via: 'itau' },
    { via: 'itau', expiresAt: undefined },
  ],
  [
    { operation: 'capture', parent_id: parent, amount: '5', keep_rest: 'TRUE' },
    { parentId: parent, amountMinor: 500n, keepsRest: true },
  ],
  [
    { operation: 'capture', parent_id: parent, keep_rest: 'false' },
    { parentId: parent, amountMinor: undefined, currency: '', keepsRest: false },
  ],
  [
    { operation: 'release', parent_id: parent },
    { amountMinor: undefined, currency: '' },
  ],
  [
    {
      ...{ operation: 'deposit', amount: '1', reference: ' NF-7 ', metadata: '{"a":"1"}' },
      ...{ 'meta.Order': ' 1042 ', 'meta.b': ' ' },
    },
    { reference: 'NF-7', metadata: { a: '1', Order: '1042' } },
  ],
  [
    { operation: 'deposit', amount: '1', reference: 'x', 'meta.reference': 'x' },
    { reference: 'x', metadata: { reference: 'x' } },
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
  [{ operation: 'capture' }, 'INVALID_ARGUMENT', 'parent_id'],
  [{ operation: 'release', parent_id: 'x' }, 'INVALID_ARGUMENT', 'parent_id'],
  [{ operation: 'hold', parent_id: parent, amount: '1' }, 'INVALID_ARGUMENT', 'parent_id'],
  [{ operation: 'hold' }, 'AMOUNT_INVALID', 'amount'],
  [{ operation: 'hold', amount: '1', merchant: 'M', via: 'itau' }, 'INVALID_ARGUMENT', 'via'],
  [{ operation: 'hold', amount: '1', via: 'itau', to: parent }, 'INVALID_ARGUMENT', 'to'],
  [{ operation: 'hold', amount: '1', expires_in: '7' }, 'INVALID_ARGUMENT', 'expires_in'],
  [{ operation: 'hold', amount: '1', expires_at: '2026-11-29' }, 'INVALID_ARGUMENT', 'expires_at'],
  [
    { operation: 'hold', amount: '1', expires_in: '7d', expires_at: '2026-11-29T12:00:00Z' },
    ...(['INVALID_ARGUMENT', 'expires_at'] as const),
  ],
  [{ operation: 'deposit', amount: '1', expires_in: '7d' }, 'INVALID_ARGUMENT', 'expires_in'],
  [{ operation: 'hold', amount: '1', keep_rest: 'true' }, 'INVALID_ARGUMENT', 'keep_rest'],
  [
    { operation: 'capture', parent_id: parent, keep_rest: 'yes' },
    ...(['INVALID_ARGUMENT', 'keep_rest'] as const),
  ],
  [{ operation: 'capture', parent_id: parent, via: 'itau' }, 'INVALID_ARGUMENT', 'via'],
  [{ operation: 'deposit', amount: '1', description: '\uFFFD' }, 'INVALID_ARGUMENT', 'description'],
  [{ operation: 'deposit', amount: '1', key: 'k'.repeat(256) }, 'INVALID_ARGUMENT', 'key'],
  [{ operation: 'deposit', amount: '1', user: 'ana' }, 'INVALID_ARGUMENT', 'user'],
  [{ operation: 'deposit', amount: '1' }, 'INVALID_ARGUMENT', 'key', { isKeyNeeded: true }],
  [{ operation: 'fee', amount: '1' }, 'INVALID_ARGUMENT', 'operation'],
  [{ operation: 'deposit', amount: '1' }, 'USER_REQUIRED', 'user', { isStaff: true }],
  [{ operation: 'transfer', amount: '1' }, 'INVALID_ARGUMENT', 'to'],
  [{ operation: 'transfer', amount: '1', to: 'bia' }, 'INVALID_ARGUMENT', 'to'],
  [{ operation: 'deposit', amount: '1', to: parent }, 'INVALID_ARGUMENT', 'to'],
  [{ operation: 'reversal', parent_id: parent, to: parent }, 'INVALID_ARGUMENT', 'to'],
  [{ operation: 'purchase', amount: '1', via: 'itau' }, 'INVALID_ARGUMENT', 'via'],
  [{ operation: 'deposit', amount: '1', via: 'Bank A' }, 'INVALID_ARGUMENT', 'via'],
  [{ operation: 'deposit', amount: '1', metadata: 'a=1' }, 'INVALID_ARGUMENT', 'metadata'],
  [{ operation: 'deposit', amount: '1', metadata: '["a"]' }, 'INVALID_ARGUMENT', 'metadata'],
  [{ operation: 'deposit', amount: '1', metadata: '{"a":1}' }, 'INVALID_ARGUMENT', 'metadata'],
  [
    { operation: 'deposit', amount: '1', metadata: '{"a":"1"}', 'meta.a': '1' },
    ...(['INVALID_ARGUMENT', 'meta.a'] as const),
  ],
  [{ operation: 'deposit', amount: '1', 'meta.dw.x': '1' }, 'INVALID_ARGUMENT', 'meta.dw.x'],
  [
    { operation: 'deposit', amount: '1', 'meta.po': 'x'.repeat(257) },
    ...(['INVALID_ARGUMENT', 'meta.po'] as const),
  ],
  [{ operation: 'deposit', amount: '1', 'meta.po': '\uFFFD' }, 'INVALID_ARGUMENT', 'meta.po'],
  [
    { operation: 'deposit', amount: '1', reference: 'x'.repeat(257) },
    'INVALID_ARGUMENT',
    'reference',
  ],
  [
    { operation: 'deposit', amount: '1', reference: 'x', metadata: '{"reference":"y"}' },
    ...(['INVALID_ARGUMENT', 'reference'] as const),
  ],
])('the batch row %j is refused: %s, field %s', (cells, reason, field, over) => {
  const refused = check(cells, over);
  expect(refused).toMatchObject({ row: 7, reason, field });
  // Results show the message without its column too.
  expect('message' in refused && refused.message).not.toMatch(/^(?:is|must|has|cannot|") ?/);
});

it.each([
  [{ operation: 'deposit' }, 'amount is missing'],
  [{ operation: 'deposit', amount: '1', key: 'k', user: 'x' }, 'user: "x" is neither an e-mail'],
  [{ operation: 'deposit', amount: '1', parent_id: parent }, 'parent_id must be empty'],
])('the batch row %j is refused by a message that names its column', (cells, message) => {
  expect(check(cells)).toMatchObject({ message: expect.stringContaining(message) as string });
});

it('a batch row that could not be read is refused with the problem', () => {
  const raw = { row: 3, cells: {}, problem: 'is not JSON' };
  expect(checkRow(raw, defaults)).toMatchObject({
    row: 3,
    field: '',
    message: 'the row is not JSON',
  });
});

it('a group may have fees', () => {
  const cells = { operation: 'fee', amount: '1' };
  expect(check(cells, { isGroup: true })).toMatchObject({ operation: 'fee', amountMinor: 100n });
});
