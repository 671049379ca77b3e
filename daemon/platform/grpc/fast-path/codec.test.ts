import { expect, it } from 'vitest';

import {
  CreateTransactionRequest,
  TransactionItem,
  WalletServiceService,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { withOwnCodec } from './codec.ts';

const { requestDeserialize: read } = withOwnCodec(WalletServiceService.createTransaction);

const encode = (entries: readonly (readonly [string, string])[]): Buffer => {
  const item = { ...TransactionItem.fromPartial({}), metadata: Object.fromEntries(entries) };
  return Buffer.from(CreateTransactionRequest.encode({ item, dryRun: false }).finish());
};

it('reads a request whose metadata has ordinary keys', () => {
  expect(read(encode([['order', '__proto__']]))).toMatchObject({
    ok: true,
    value: { item: { metadata: { order: '__proto__' } } },
  });
});

it('refuses the key __proto__, which decoding would drop without a word', () => {
  const bytes = encode([
    ['a', '1'],
    ['__proto__', '2'],
  ]);
  expect(bytes.includes('__proto__')).toBe(true);
  expect(read(bytes)).toMatchObject({
    ok: false,
    rejection: { reason: 'INVALID_ARGUMENT', metadata: { field: 'metadata' } },
  });
});

it('refuses bytes that are no message', () => {
  expect(read(Buffer.from('0aff', 'hex'))).toMatchObject({
    ok: false,
    rejection: { reason: 'INVALID_ARGUMENT' },
  });
});
