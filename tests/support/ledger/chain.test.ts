import { createHash } from 'node:crypto';

import { expect, it } from 'vitest';

import { expectedGenesis, expectedHash, type LedgerRow } from './chain.ts';

const walletId = '11111111-2222-5333-8444-555555555555';
const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const genesis = 'c1fbc051c8eb504c595ef0d70a7555ed77c235b9b76d07f0c943313f9a80a547';

const purchase: LedgerRow = {
  id: '99999999-8888-5777-8666-555555555555',
  seq: '7',
  operation: 3,
  amount: '-1234',
  balance_after: '8766',
  contra_account: 'merchant:Café',
  parent_id: null,
  source: 1,
  actor: userId,
  description: 'Lunch; 2:ab',
  metadata: { order: '42', a: 'b' },
  at_ms: '1795348800123',
};

it('the expected genesis hash of a wallet is the literal vector', () => {
  expect(expectedGenesis(walletId, userId, 'BRL')).toBe(genesis);
});

it('the expected hash of a purchase is the literal vector', () => {
  const expected = '0ff1c5bb4636a779b40c10eb28b2f43412fd7408190e3c0dce941cb4459bd065';
  expect(expectedHash(genesis, purchase)).toBe(expected);
});

it.each([
  [1, 'deposit'],
  [2, 'withdraw'],
  [3, 'purchase'],
  [4, 'reversal'],
  [5, 'cancellation'],
])('the stored operation %i is hashed as %s', (code, name) => {
  const bytes =
    `36:${purchase.id};1:7;${name.length}:${name};5:-1234;4:8766;14:merchant:Café;-;` +
    `7:message;36:${userId};-;-;13:1795348800123;`;
  const content = createHash('sha256').update(`\u0001${bytes}`).digest();
  const link = Buffer.concat([Buffer.of(1), Buffer.from(genesis, 'hex'), content]);
  const expected = createHash('sha256').update(link);
  const row = { ...purchase, operation: code, source: 2, description: null, metadata: null };
  expect(expectedHash(genesis, row)).toBe(expected.digest('hex'));
});
