import { expect, it } from 'vitest';

import {
  CreateTransactionRequest,
  TransactionItem,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { withOwnCodec } from './codec.ts';

const { requestDeserialize: read } = withOwnCodec(WalletServiceService.createTransaction);

const encode = (entries: readonly (readonly [string, string])[]): Buffer => {
  const item = { ...TransactionItem.fromPartial({}), metadata: Object.fromEntries(entries) };
  return Buffer.from(CreateTransactionRequest.encode({ item, dryRun: false }).finish());
};

it('a request with __proto__ as a metadata value is read', () => {
  expect(read(encode([['order', '__proto__']]))).toMatchObject({
    ok: true,
    value: { item: { metadata: { order: '__proto__' } } },
  });
});

it('a text that contains the bytes of a map entry with the key __proto__ is read', () => {
  const description = 'see \n\t__proto__ y';
  const item = {
    ...TransactionItem.fromPartial({}),
    description,
    metadata: { order: '\n\t__proto__', '\n\t__proto__': 'a key that only contains it' },
  };
  const bytes = Buffer.from(CreateTransactionRequest.encode({ item, dryRun: false }).finish());
  expect(read(bytes)).toMatchObject({
    ok: true,
    value: { item: { description, metadata: item.metadata } },
  });
});

it('the metadata key __proto__ with an overlong length encoding is refused', () => {
  const entry = Buffer.concat([
    Buffer.from([0x0a, 0x89, 0x00]),
    Buffer.from('__proto__'),
    Buffer.from([0x12, 1, 0x32]),
  ]);
  const item = Buffer.concat([Buffer.from([0x42, entry.length]), entry]);
  const request = Buffer.concat([Buffer.from([0x0a, item.length]), item]);
  expect(read(request)).toMatchObject({
    ok: false,
    rejection: { reason: 'INVALID_ARGUMENT', metadata: { field: 'metadata' } },
  });
});

it('the metadata key __proto__, which decoding would drop silently, is refused', () => {
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

it('bytes that are no message are refused with INVALID_ARGUMENT', () => {
  expect(read(Buffer.from('0aff', 'hex'))).toMatchObject({
    ok: false,
    rejection: { reason: 'INVALID_ARGUMENT' },
  });
});

it.each([
  ['Latin-1', Buffer.from('señor', 'latin1')],
  ['a cut character', Buffer.from('se\u00f1').subarray(0, 3)],
  ['an encoded surrogate', Buffer.from([0xed, 0xa0, 0x80])],
])('a text of %s is refused, not replaced', (_what, bad) => {
  const marker = 'x'.repeat(bad.length);
  const item = { ...TransactionItem.fromPartial({}), description: marker };
  const bytes = Buffer.from(CreateTransactionRequest.encode({ item, dryRun: false }).finish());
  bad.copy(bytes, bytes.indexOf(marker));
  expect(read(bytes)).toMatchObject({
    ok: false,
    rejection: { reason: 'INVALID_ARGUMENT', message: expect.stringContaining('UTF-8') as string },
  });
});

it('a text that begins with a byte order mark, or has U+FFFD, is read as it is', () => {
  const description = '\ufeffa \ufffd';
  const item = { ...TransactionItem.fromPartial({}), description };
  const bytes = Buffer.from(CreateTransactionRequest.encode({ item, dryRun: false }).finish());
  expect(read(bytes)).toMatchObject({ ok: true, value: { item: { description } } });
});
