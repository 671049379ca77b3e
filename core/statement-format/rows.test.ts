import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { toCopyRow } from '../../tests/support/ledger/copy-row.ts';
import { makeLines } from '../../tests/support/ledger/statement-model.ts';
import { chainHash } from '../chain.ts';
import { operations } from '../operations.ts';
import {
  createRowReader,
  hasCurrency,
  hasDigest,
  hashOf,
  toFileLine,
  type StatementFileLine,
} from './index.ts';

const edge = 10n ** 15n;
const limit = 2n ** 63n - 1n;
const minor = fc.oneof(
  fc.bigInt({ min: -limit, max: limit }),
  fc.integer().map(BigInt),
  fc.constantFrom(0n, 1n, -1n, 9n, 10n, edge - 1n, edge, edge + 1n, -edge, 1n - edge, limit),
);
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.lorem());
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const line: fc.Arbitrary<StatementFileLine> = fc.record({
  seq: minor,
  occurredAtMs: fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }),
  transactionId: fc.uuid(),
  operation: fc.constantFrom(...operations),
  description: fc.option(text, { nil: undefined }),
  amountMinor: minor,
  balanceAfterMinor: minor,
  contraAccount: text,
});
const rest = fc.record({
  previousHash: hash,
  parentId: fc.option(fc.uuid(), { nil: undefined }),
  source: text,
  actor: text,
  metadata: fc.dictionary(text, text, { maxKeys: 4 }),
  more: fc.option(
    fc.record({
      heldMinor: minor,
      heldAfterMinor: minor,
      parentUsedMinor: minor,
      groupId: fc.option(fc.uuid(), { nil: undefined }),
    }),
    { nil: undefined },
  ),
});

describe('row reader', () => {
  it('the bytes of a row are those that the hash of the same line covers', () => {
    const { row, read } = createRowReader();
    fc.assert(
      fc.property(line, rest, (one, { previousHash: bytes, ...others }) => {
        const previousHash = Buffer.from(bytes).toString('hex');
        const fields = { ...one, ...others, id: one.transactionId };
        const expected = chainHash(previousHash, fields);
        const isEmpty = Object.keys(others.metadata).length === 0;
        const metadata = isEmpty ? undefined : JSON.stringify(others.metadata);
        const copied = toCopyRow(one, { ...others, metadata, previousHash, hash: expected });
        // Behind other bytes, as it lies in what comes from a socket.
        const all = Buffer.concat([Buffer.from('before'), copied, Buffer.from('after')]);
        read(all, 6, 6 + copied.length);
        expect(Buffer.from(hashOf(row), 'latin1').toString('hex')).toBe(expected);
        expect(hasDigest(row.source, row.hashAt, hashOf(row))).toBe(true);
        const previous = Buffer.from(bytes).toString('latin1');
        expect(hasDigest(row.source, row.previousHashAt, previous)).toBe(true);
        const { heldMinor = 0n, heldAfterMinor = 0n } = others.more ?? {};
        const held = {
          heldMinor: heldMinor || undefined,
          heldAfterMinor: heldAfterMinor || undefined,
        };
        expect(toFileLine(row, one.seq)).toEqual({ ...one, ...held });
      }),
      { numRuns: 1_000, seed: 11 },
    );
  });

  const [first = undefined as never] = makeLines(3, 1, Date.parse('2026-01-10T12:00:00Z'));

  it('a text longer than the buffer is hashed whole', () => {
    const { row, read } = createRowReader();
    const description = 'é'.repeat(40_000);
    const previousHash = '7'.repeat(64);
    const others = { parentId: undefined, source: 's', actor: 'a', metadata: {}, more: undefined };
    const long = { ...first, description };
    const copied = toCopyRow(long, { ...others, metadata: undefined, previousHash });
    read(copied, 0, copied.length);
    const expected = chainHash(previousHash, { ...long, ...others, id: first.transactionId });
    expect(Buffer.from(hashOf(row), 'latin1').toString('hex')).toBe(expected);
  });

  it.each(['null', '[]', 'no JSON', '{"a":1e20}', '{"a":', '{"a":{"b":"c"}}'])(
    'stored metadata that was changed by hand to %s is read and does not match',
    (metadata) => {
      const { row, read } = createRowReader();
      const previousHash = '7'.repeat(64);
      const others = {
        parentId: undefined,
        source: 's',
        actor: 'a',
        metadata: { a: 'b' },
        more: undefined,
      };
      const copied = toCopyRow(first, { ...others, metadata, previousHash });
      read(copied, 0, copied.length);
      const expected = chainHash(previousHash, { ...first, ...others, id: first.transactionId });
      expect(Buffer.from(hashOf(row), 'latin1').toString('hex')).not.toBe(expected);
    },
  );

  it('a hash that is absent or short equals no digest', () => {
    const { row, read } = createRowReader();
    for (const hex of ['', '00', '00'.repeat(31), '00'.repeat(33)]) {
      const copied = toCopyRow(first, { previousHash: hex, hash: hex });
      read(copied, 0, copied.length);
      expect(hasDigest(row.source, row.hashAt, '\0'.repeat(32))).toBe(false);
      expect(hasDigest(row.source, row.previousHashAt, '\0'.repeat(32))).toBe(false);
      expect(hasDigest(row.source, row.hashAt, hashOf(row))).toBe(false);
      expect(hashOf(row)).toBe('');
    }
  });

  it('a row has its own currency only', () => {
    const { row, read } = createRowReader();
    const copied = toCopyRow(first, { currency: 'BRL' });
    read(copied, 0, copied.length);
    const codes = ['BRL', 'BRX', 'BR', 'BRLX', ''];
    expect(codes.map((code) => hasCurrency(row, code))).toEqual([true, false, false, false, false]);
  });

  it('a cut or malformed row is refused', () => {
    const { read } = createRowReader();
    const copied = toCopyRow(first);
    for (let length = 0; length < copied.length; length += 1) {
      expect(() => read(copied, 0, length)).toThrow('cannot be read');
    }
    const longer = Buffer.concat([copied, Buffer.of(0)]);
    expect(() => read(longer, 0, longer.length)).toThrow('cannot be read');
    const unknown = Buffer.from(copied);
    // Behind two hashes' worth of lengths: the number of the operation.
    const operationAt = 2 + 4 + 32 + 4 + 16 + 4 + 8 + 4;
    unknown.writeInt16BE(33, operationAt);
    expect(() => read(unknown, 0, unknown.length)).toThrow('cannot be read');
  });
});
