import { createHash } from 'node:crypto';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  canonicalMetadata,
  chainHash,
  contentDigest,
  genesisHash,
  linkBytes,
  linkHash,
  parseMetadata,
  type ChainedFields,
  type ChainedMore,
} from './chain.ts';

const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const walletId = '11111111-2222-5333-8444-555555555555';
const genesis = genesisHash(walletId, userId, 'BRL');

const fields: ChainedFields = {
  id: '99999999-8888-5777-8666-555555555555',
  seq: 7n,
  operation: 'purchase',
  amountMinor: -1_234n,
  balanceAfterMinor: 8_766n,
  contraAccount: 'merchant:Café',
  parentId: undefined,
  source: 'grpc',
  actor: userId,
  description: 'Lunch; 2:ab',
  metadata: { order: '42', a: 'b' },
  more: undefined,
  occurredAtMs: Date.UTC(2026, 10, 22, 12, 0, 0, 123),
};

const hex = (previous: string, change: Partial<ChainedFields> = {}): string =>
  chainHash(previous, { ...fields, ...change });

describe('hash layout', () => {
  it('the genesis hash and the chain hash of fixed fields never change', () => {
    expect(genesis).toBe('c1fbc051c8eb504c595ef0d70a7555ed77c235b9b76d07f0c943313f9a80a547');
    expect(hex(genesis)).toBe('0ff1c5bb4636a779b40c10eb28b2f43412fd7408190e3c0dce941cb4459bd065');
  });

  it('the chain hash covers version, previous hash and the digest of the content', () => {
    const text =
      `36:${fields.id};1:7;8:purchase;5:-1234;4:8766;14:merchant:Café;-;4:grpc;36:${userId};` +
      `11:Lunch; 2:ab;26:[["a","b"],["order","42"]];13:${fields.occurredAtMs};`;
    const digestOf = (...parts: (Buffer | string)[]) => {
      const sha = createHash('sha256').update(Buffer.of(1));
      for (const part of parts) sha.update(part);
      return sha.digest();
    };
    const content = digestOf(text);
    const expected = digestOf(Buffer.from(genesis, 'hex'), content);
    expect(contentDigest(fields)).toBe(content.toString('hex'));
    expect(hex(genesis)).toBe(expected.toString('hex'));
    expect(linkHash(genesis, contentDigest(fields))).toBe(expected.toString('hex'));
  });
});

describe('fields of the hash', () => {
  const changes: { [Field in keyof ChainedFields]: ChainedFields[Field] } = {
    id: '99999999-8888-5777-8666-555555555556',
    seq: 8n,
    operation: 'withdraw',
    amountMinor: -1_235n,
    balanceAfterMinor: 8_765n,
    contraAccount: 'merchant:Cafe',
    parentId: '99999999-8888-5777-8666-555555555555',
    source: 'message',
    actor: 'amqp',
    description: undefined,
    metadata: { order: '42', a: 'c' },
    more: { heldMinor: 1n, heldAfterMinor: 0n, parentUsedMinor: 0n, groupId: undefined },
    occurredAtMs: fields.occurredAtMs + 1,
  };

  it.each(Object.entries(changes))('a change of %s changes the hash', (name, value) => {
    expect(hex(genesis, { [name]: value })).not.toBe(hex(genesis));
  });

  it('the sign of an amount changes the hash', () => {
    expect(hex(genesis, { amountMinor: 1_234n })).not.toBe(hex(genesis));
  });

  it('one bit of the previous hash changes the hash', () => {
    const other = Buffer.from(genesis, 'hex');
    other[31]! ^= 1;
    expect(hex(other.toString('hex'))).not.toBe(hex(genesis));
  });

  it('the owner and the currency of a wallet change its genesis hash', () => {
    const others = [
      genesisHash(walletId, userId, 'USD'),
      genesisHash(userId, walletId, 'BRL'),
      genesisHash(walletId, userId.replace('1', '2'), 'BRL'),
    ];
    for (const other of others) expect(other).not.toBe(genesis);
  });
});

it('a text that is longer than the buffer is hashed whole', () => {
  const long = 'é'.repeat(40_000);
  const hashOf = (description: string) => hex(genesis, { description });
  expect(hashOf(`${long}a`)).not.toBe(hashOf(`${long}b`));
  expect(hashOf(`${long}a`)).toBe(hashOf(`${long}a`));
});

it('an absent field and an empty one have different hashes', () => {
  for (const name of ['parentId', 'description'] as const) {
    expect(hex(genesis, { [name]: '' })).not.toBe(hex(genesis, { [name]: undefined }));
    expect(hex(genesis, { [name]: '-' })).not.toBe(hex(genesis, { [name]: undefined }));
  }
});

it('text that is shifted between neighbouring fields changes the hash', () => {
  const parts = fc.string({
    unit: fc.constantFrom('a', 'é', '1', ':', ';', '-', '0'),
    minLength: 1,
  });
  fc.assert(
    fc.property(parts, parts, fc.nat(), (one, other, at) => {
      const whole = one + other;
      const cut = at % (whole.length + 1);
      const [source, actor] = [whole.slice(0, cut), whole.slice(cut)];
      const isSame = source === one;
      const equal = hex(genesis, { source, actor }) === hex(genesis, { source: one, actor: other });
      expect(equal).toBe(isSame);
    }),
  );
});

const fewMinor = fc.constantFrom(0n, 1n, -1n);
const anyMore: fc.Arbitrary<ChainedMore> = fc.record({
  heldMinor: fewMinor,
  heldAfterMinor: fewMinor,
  parentUsedMinor: fewMinor,
  groupId: fc.constantFrom(undefined, walletId, userId),
});
const moreKeys = ['heldMinor', 'heldAfterMinor', 'parentUsedMinor', 'groupId'] as const;

it('a plain transaction has the same hash as one in which all of `more` is 0 or absent', () => {
  const zero = { heldMinor: 0n, heldAfterMinor: 0n, parentUsedMinor: 0n, groupId: undefined };
  expect(hex(genesis, { more: zero })).toBe(hex(genesis));
});

it('different contents have different hashes, also with separators in any text', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', '1', ':', ';', '-', '[', '"', ','),
    maxLength: 6,
  });
  const change = fc.record({
    source: text,
    actor: text,
    contraAccount: text,
    description: fc.option(text, { nil: undefined }),
    parentId: fc.option(text, { nil: undefined }),
    metadata: fc.dictionary(text, text, { maxKeys: 3 }),
    more: fc.option(anyMore, { nil: undefined }),
  });
  const canonical = (c: Partial<ChainedFields>) =>
    JSON.stringify([
      c.source,
      c.actor,
      c.contraAccount,
      c.description ?? null,
      c.parentId ?? null,
      Object.entries(c.metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
      ...moreKeys.map((key) => String(c.more?.[key] ?? 0)),
    ]);
  fc.assert(
    fc.property(change, change, (one, other) => {
      expect(hex(genesis, one) === hex(genesis, other)).toBe(canonical(one) === canonical(other));
    }),
    { numRuns: 500 },
  );
});

describe('metadata', () => {
  it('metadata has one canonical text, in any order of its keys', () => {
    expect(canonicalMetadata({ b: '2', a: '1' })).toBe(canonicalMetadata({ a: '1', b: '2' }));
    expect(hex(genesis, { metadata: { a: 'b', order: '42' } })).toBe(hex(genesis));
  });

  it('empty metadata is absent', () => {
    expect(canonicalMetadata({})).toBeUndefined();
  });

  it('canonical metadata separates keys from values', () => {
    expect(canonicalMetadata({ a: 'b', c: 'd' })).not.toBe(canonicalMetadata({ a: 'b,c', d: '' }));
  });
});

it('a hash before that was cut does not leave the rest of another one in the link', () => {
  const content = contentDigest(fields);
  const expected = linkHash('ab'.padEnd(64, '0'), content);
  linkHash('f'.repeat(64), content);
  expect(linkHash('ab', content)).toBe(expected);
});

it('a hash before that is too long is cut, and nothing of it reaches the content', () => {
  const content = contentDigest(fields);
  expect(linkHash(`${'ab'.repeat(32)}ff`, content)).toBe(linkHash('ab'.repeat(32), content));
  expect(linkHash(genesis, content)).toBe(hex(genesis));
});

it('a link of bytes is the link of the digits that they stand for', () => {
  const previous = Buffer.from(genesis, 'hex');
  const content = Buffer.from(contentDigest(fields), 'hex').toString('latin1');
  const before = Buffer.concat([Buffer.alloc(5, 0xee), previous, Buffer.alloc(5, 0xee)]);
  const linked = linkBytes(before, 5, content);
  expect(Buffer.from(linked, 'latin1').toString('hex')).toBe(hex(genesis));
});

it.each([0, 1, 9, 10, 99, 100, 255, 256, 257, 1_000, 32_760, 40_000])(
  'a text of %i bytes is hashed behind its length, of one or of two bytes a character',
  (length) => {
    const texts = ['x'.repeat(length), 'é'.repeat(length >> 1) + 'x'.repeat(length & 1)];
    for (const actor of texts) {
      const text =
        `36:${fields.id};1:7;8:purchase;5:-1234;4:8766;14:merchant:Café;-;4:grpc;` +
        `${length}:${actor};-;-;13:${fields.occurredAtMs};`;
      const expected = createHash('sha256').update(Buffer.of(1)).update(text).digest('hex');
      const change = { actor, description: undefined, metadata: {} };
      expect(contentDigest({ ...fields, ...change })).toBe(expected);
    }
  },
);

it('stored metadata is read, and what is no JSON is kept as a text that matches nothing', () => {
  expect(parseMetadata('{"a":"b"}')).toEqual({ a: 'b' });
  expect(parseMetadata('{"a":')).toEqual({ text: '{"a":' });
  expect(canonicalMetadata(parseMetadata('{}'))).toBeUndefined();
});
