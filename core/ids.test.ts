import fc from 'fast-check';
import { expect, it } from 'vitest';

import {
  canonicalId,
  canonicalUuid,
  idRangeOf,
  isUuid,
  transactionIdOf,
  uuidV5,
  walletIdOf,
  type CallerClass,
} from './ids.ts';

/** RFC 9562, appendix A: the namespace of DNS names. */
const dnsNamespace = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';
const userId = '6f1c3f3e-0000-4000-8000-000000000001';

it('uuidV5 returns the UUID of the example in RFC 9562, A.4', () => {
  expect(uuidV5(dnsNamespace, 'www.example.com')).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2');
});

it('uuidV5 hashes a name as UTF-8', () => {
  expect(uuidV5(dnsNamespace, 'é')).not.toBe(uuidV5(dnsNamespace, 'e\u0301'));
  expect(uuidV5(dnsNamespace, 'bücher.example')).toBe('849d4d8f-6c8e-59fa-9721-89ccba396bf9');
});

it('wallet ids come from the documented namespace, so that others can compute them', () => {
  const namespace = uuidV5(dnsNamespace, 'wallet.digital-wallet');
  expect(walletIdOf(userId, 'BRL')).toBe(uuidV5(namespace, `${userId}:BRL`));
});

it('wallet and transaction ids never change from release to release', () => {
  expect(walletIdOf(userId, 'BRL')).toBe('5b827729-1cb6-56ab-9b7b-ada87b22e950');
  expect(transactionIdOf(walletIdOf(userId, 'BRL'), 'customer', 'order-1')).toBe(
    '12357a60-ffea-5c1e-b67c-9fa602981b20',
  );
});

it('every id is a version 5 UUID in canonical form', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.string(), (namespace, name) => {
      const id = uuidV5(namespace, name);
      expect(isUuid(id)).toBe(true);
      expect(id).toMatch(/^.{14}5.{4}[89ab]/);
    }),
  );
});

it('each user has a wallet of their own in each currency', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.uuid(), (one, other) => {
      expect(walletIdOf(one, 'BRL')).not.toBe(walletIdOf(one, 'USD'));
      if (one !== other) expect(walletIdOf(one, 'BRL')).not.toBe(walletIdOf(other, 'BRL'));
    }),
  );
});

it('idempotency keys of different caller classes never give the same transaction id', () => {
  const classes: readonly CallerClass[] = ['customer', 'staff', 'message'];
  const keyArbitrary = fc.oneof(
    fc.string(),
    fc.tuple(fc.constantFrom(...classes, ''), fc.string()).map((parts) => parts.join(':')),
  );
  fc.assert(
    fc.property(fc.uuid(), keyArbitrary, keyArbitrary, (walletId, one, other) => {
      const ids = classes.flatMap((callerClass) =>
        [...new Set([one, other])].map((key) => transactionIdOf(walletId, callerClass, key)),
      );
      expect(new Set(ids).size).toBe(ids.length);
    }),
  );
});

it('the same idempotency key on another wallet is another transaction', () => {
  const [brl, usd] = ['BRL', 'USD'].map((currency) => walletIdOf(userId, currency));
  expect(transactionIdOf(brl!, 'customer', 'k')).not.toBe(transactionIdOf(usd!, 'customer', 'k'));
});

it.each([
  userId.toUpperCase().replace('8000', 'A000'),
  userId.replaceAll('-', ''),
  `{${userId}}`,
  `urn:uuid:${userId}`,
  `${userId}\n`,
  ` ${userId}`,
  `${userId}0`,
  userId.slice(1),
  userId.replace('6', 'g'),
  '',
])('%j is no UUID in canonical form', (text) => {
  expect(isUuid(text)).toBe(false);
});

it.each([
  [userId.toUpperCase(), userId],
  [` ${userId} `, userId],
  [userId, userId],
  [`${userId}0`, undefined],
  ['', undefined],
])('%j is read as the UUID %s', (text, canonical) => {
  expect(canonicalUuid(text)).toBe(canonical);
});

it('an id that is none stays the text that it is, in lower case and without blanks around', () => {
  expect(canonicalId(' ABC-1 ')).toBe('abc-1');
});

it('the ids that begin with a prefix are those between the first and the last one', () => {
  expect(idRangeOf('6f1c3f3e')).toEqual({
    first: '6f1c3f3e-0000-0000-0000-000000000000',
    last: '6f1c3f3e-ffff-ffff-ffff-ffffffffffff',
  });
  expect(idRangeOf('6f1c3f3e-00')).toEqual({
    first: '6f1c3f3e-0000-0000-0000-000000000000',
    last: '6f1c3f3e-00ff-ffff-ffff-ffffffffffff',
  });
  expect(idRangeOf(userId)).toEqual({ first: userId, last: userId });
});

it.each(['6f1c3f3', '6F1C3F3E', '6f1c3f3g', '6f1c3f3e0', `${userId}0`, ''])(
  '%j is no prefix of an id',
  (prefix) => {
    expect(idRangeOf(prefix)).toBeUndefined();
  },
);
