import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  copyBytes,
  countDigits,
  createScratch,
  maxBytesPerUnit,
  toUuid,
  writeDigits,
  writeHex,
  writeText,
  writeUuid,
  writeUuidText,
} from './bytes.ts';

/** What stands before and behind the bytes that are written, to see that nothing else is. */
const filler = 0xee;
const start = 3;

/** The bytes that `write` writes from `start` on, of a buffer that is longer by `start`. */
function written(length: number, write: (bytes: Buffer) => unknown): Buffer {
  const bytes = Buffer.alloc(length + 2 * start, filler);
  write(bytes);
  const [before, behind] = [bytes.subarray(0, start), bytes.subarray(start + length)];
  expect(new Set([...before, ...behind])).toEqual(new Set([filler]));
  return bytes.subarray(start, start + length);
}

const bytesOfUuid = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex');
const uuids = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString('hex'))
  .map((hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'));

describe('UUIDs', () => {
  it('the bytes of a UUID are those of its digits, and give the same text again', () => {
    fc.assert(
      fc.property(uuids, (uuid) => {
        const expected = bytesOfUuid(uuid);
        expect(written(16, (bytes) => writeUuid(bytes, uuid, start))).toEqual(expected);
        expect(toUuid((i) => expected[i] ?? 0)).toBe(uuid);
        const from = Buffer.concat([Buffer.alloc(5, filler), expected]);
        const text = written(36, (bytes) => {
          expect(writeUuidText(bytes, from, 5, start)).toBe(start + 36);
        });
        expect(text.toString('latin1')).toBe(uuid);
      }),
    );
  });

  it('a UUID is written at the beginning of a buffer if no place is given', () => {
    const uuid = '01234567-89ab-cdef-0123-456789abcdef';
    const bytes = Buffer.alloc(16);
    writeUuid(bytes, uuid);
    expect(bytes.toString('hex')).toBe(uuid.replaceAll('-', ''));
  });
});

it('hex digits are written as the bytes that they stand for', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (expected) => {
      const hex = Buffer.from(expected).toString('hex');
      const bytes = written(expected.length, (into) => writeHex(into, hex, start));
      expect(bytes).toEqual(Buffer.from(expected));
    }),
  );
});

it('text is written as UTF-8, and its end is given', () => {
  const unit = fc.constantFrom('a', '~', '\x7f', '\x80', 'é', '\u07ff', '\u0800', '€', '😀', '\0');
  const texts = fc.oneof(fc.string({ unit, maxLength: 40 }), fc.string({ maxLength: 120 }));
  fc.assert(
    fc.property(texts, (text) => {
      const expected = Buffer.from(text);
      const bytes = Buffer.alloc(start + maxBytesPerUnit * text.length, filler);
      expect(writeText(bytes, text, start)).toBe(start + expected.length);
      expect(bytes.subarray(start, start + expected.length)).toEqual(expected);
      expect(bytes.subarray(0, start)).toEqual(Buffer.alloc(start, filler));
    }),
  );
});

it('a range of bytes is copied, and its end is given', () => {
  const from = Buffer.from('0123456789');
  const bytes = written(4, (into) => {
    expect(copyBytes(from, 2, 6, into, start)).toBe(start + 4);
  });
  expect(bytes.toString()).toBe('2345');
  expect(copyBytes(from, 2, 2, Buffer.alloc(1), 0)).toBe(0);
});

describe('digits', () => {
  const limits = [9, 10, 11, 99, 100, 2 ** 31 - 2, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 1e15 - 1];
  const values = fc.oneof(
    fc.constantFrom(0, 1, ...limits),
    fc.nat(),
    fc.integer({ min: 0, max: 1e15 - 1 }),
  );

  it('a whole number has as many digits as its text', () => {
    fc.assert(
      fc.property(values, (value) => {
        const text = String(value);
        expect(countDigits(value)).toBe(text.length);
        const bytes = written(text.length, (into) => {
          expect(writeDigits(into, value, text.length, start)).toBe(start + text.length);
        });
        expect(bytes.toString()).toBe(text);
      }),
    );
  });

  it('a number is padded with zeros, or cut to its last digits', () => {
    const write = (value: number, count: number) =>
      written(count, (into) => writeDigits(into, value, count, start)).toString();
    expect(write(42, 5)).toBe('00042');
    expect(write(12_345, 2)).toBe('45');
    expect(write(123_456_789_012, 12)).toBe('123456789012');
    expect(write(123_456_789_012, 14)).toBe('00123456789012');
  });
});

describe('scratch buffers', () => {
  it('what fits is written into the same room, and what does not into room of its own', () => {
    const { take, upTo } = createScratch(8);
    const room = take(8);
    expect(take(1)).toBe(room);
    const own = take(9);
    expect(own).not.toBe(room);
    expect(own.length).toBeGreaterThanOrEqual(9);
    own.fill('b');
    expect(upTo(own, 9).toString()).toBe('bbbbbbbbb');
    room.fill('a');
    expect(upTo(room, 3).toString()).toBe('aaa');
    // A view that was given before shows what was written since.
    room.fill('c');
    expect(upTo(room, 3).toString()).toBe('ccc');
    expect(upTo(room, 0)).toHaveLength(0);
  });
});
