import { generateKeyPairSync } from 'node:crypto';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  formatCheckpoint,
  keyIdOf,
  leafOf,
  parseCheckpoint,
  readPublicKey,
  signCheckpoint,
  verifyCheckpoint,
  type Checkpoint,
} from './checkpoint.ts';
import { leafHash } from './merkle.ts';

const first: Checkpoint = {
  origin: '0b3c9a52-3f3b-4a57-9f6e-2a1d4b7c8e90',
  number: 1n,
  timeMs: Date.UTC(2026, 10, 28, 9, 0, 0, 123),
  size: 2n,
  root: 'ab'.repeat(32),
  transactions: 7n,
  previousRoot: undefined,
  keyId: '0123456789abcdef',
};
const text = `digital-wallet checkpoint 1
origin 0b3c9a52-3f3b-4a57-9f6e-2a1d4b7c8e90
number 1
time 2026-11-28T09:00:00.123Z
wallets 2
transactions 7
root ${'ab'.repeat(32)}
previous -
key 0123456789abcdef
`;

const digits = Array.from({ length: 16 }, (_, digit) => digit.toString(16));

describe('the text of a checkpoint', () => {
  it('a checkpoint has one text, which never changes', () => {
    expect(formatCheckpoint(first)).toBe(text);
    expect(parseCheckpoint(text)).toEqual(first);
  });

  it('every checkpoint is read as it was written', () => {
    const hex = (length: number) =>
      fc
        .array(fc.constantFrom(...digits), { minLength: length, maxLength: length })
        .map((chosen) => chosen.join(''));
    const any = fc.record({
      origin: fc.uuid(),
      number: fc.bigInt({ min: 1n, max: 10n ** 18n - 1n }),
      timeMs: fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }),
      size: fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }),
      root: hex(64),
      transactions: fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }),
      previousRoot: fc.option(hex(64), { nil: undefined }),
      keyId: hex(16),
    });
    fc.assert(
      fc.property(any, (checkpoint) => {
        expect(parseCheckpoint(formatCheckpoint(checkpoint))).toEqual(checkpoint);
      }),
    );
  });

  it.each([
    ['another version', text.replace('checkpoint 1', 'checkpoint 2')],
    ['a further line', `${text}more\n`],
    ['no last line feed', text.slice(0, -1)],
    ['CRLF', text.replaceAll('\n', '\r\n')],
    ['a leading zero', text.replace('wallets 2', 'wallets 02')],
    ['the number 0', text.replace('number 1', 'number 0')],
    ['an impossible time', text.replace('-11-28T', '-02-30T')],
    ['a root in capitals', text.replace('root ab', 'root AB')],
    ['an origin that is no UUID', text.replace('origin 0b3c', 'origin 0B3C')],
    ['nothing', ''],
  ])('a text with %s is no checkpoint', (_what, changed) => {
    expect(changed).not.toBe(text);
    expect(parseCheckpoint(changed)).toBeUndefined();
  });
});

it('a leaf covers wallet, seq and hash as docs/verification.md says', () => {
  const id = '11111111-2222-5333-8444-555555555555';
  const bytes = Buffer.from(
    `11111111222253338444555555555555${'0'.repeat(15)}7${'cd'.repeat(32)}`,
    'hex',
  );
  expect(leafOf(id, 7n, 'cd'.repeat(32))).toEqual(leafHash(bytes));
});

describe('signatures', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const signature = signCheckpoint(text, privateKey);

  it('a signature holds for its text and key only', () => {
    expect(verifyCheckpoint(text, signature, publicKey)).toBe(true);
    expect(verifyCheckpoint(text.replace('wallets 2', 'wallets 3'), signature, publicKey)).toBe(
      false,
    );
    expect(verifyCheckpoint(text, signature, generateKeyPairSync('ed25519').publicKey)).toBe(false);
    expect(verifyCheckpoint(text, 'no signature', publicKey)).toBe(false);
  });

  it('a public key is read from its PEM or from that of the private key', () => {
    const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    for (const one of [pem, privatePem]) {
      const read = readPublicKey(one);
      expect(read && keyIdOf(read)).toBe(keyIdOf(publicKey));
    }
  });

  it('other keys and other texts are no keys', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    expect(readPublicKey(rsa.export({ type: 'spki', format: 'pem' }).toString())).toBeUndefined();
    expect(readPublicKey('no key')).toBeUndefined();
  });
});
