import { describe, expect, it } from 'vitest';

import { createCopyReader, readOnlyField } from './copy.ts';

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5, type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const rows = ['one\t1\n', 'two\t2\n', '\n', `${'long '.repeat(500)}\n`].map((text) =>
  Buffer.from(text),
);
const begin = message('H', Buffer.from([0, 0, 1, 0, 0]));
const end = Buffer.concat([message('c', Buffer.alloc(0)), message('C', Buffer.from('COPY 4\0'))]);
const whole = Buffer.concat([begin, ...rows.map((row) => message('d', row)), end]);

/** What is taken, and what is left for the driver, where the bytes come in these parts. */
function readParts(parts: readonly Buffer[]) {
  const taken: Buffer[] = [];
  const reader = createCopyReader((bytes, from, to) => taken.push(bytes.subarray(from, to)));
  for (const [i, part] of parts.entries()) {
    const rest = reader.read(part);
    if (rest) return { taken, rest: Buffer.concat([rest, ...parts.slice(i + 1)]) };
  }
  return { taken, rest: Buffer.alloc(0) };
}

describe('the rows of COPY', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 11, 64, 1_000, 100_000])('COPY is read in parts of %i', (size) => {
    const parts: Buffer[] = [];
    for (let at = 0; at < whole.length; at += size) parts.push(whole.subarray(at, at + size));
    const { taken, rest } = readParts(parts);
    expect(taken).toEqual(rows);
    expect(rest).toEqual(end);
  });

  it('the rows of COPY are read whole wherever the bytes are split in two', () => {
    for (let at = 0; at <= whole.length; at += 1) {
      const { taken, rest } = readParts([whole.subarray(0, at), whole.subarray(at)]);
      const isRight = taken.every((row, i) => rows[i]?.equals(row)) && rest.equals(end);
      if (taken.length !== rows.length || !isRight) throw new Error(`not where it is cut at ${at}`);
    }
  });

  it('the bytes of COPY after any other message are left to the driver', () => {
    const notice = message('N', Buffer.from('SNOTICE\0\0'));
    expect(readParts([notice, whole])).toEqual({ taken: [], rest: Buffer.concat([notice, whole]) });
    const late = Buffer.concat([begin, message('d', rows[0]!), notice, message('d', rows[1]!)]);
    const { taken, rest } = readParts([late]);
    expect(taken).toEqual([rows[0]]);
    expect(rest).toEqual(Buffer.concat([notice, message('d', rows[1]!)]));
  });
});

describe('fields of the binary format', () => {
  const field = (length: number, text = '') => {
    const head = Buffer.alloc(6);
    head.writeInt16BE(1, 0);
    head.writeInt32BE(length, 2);
    return Buffer.concat([head, Buffer.from(text)]);
  };
  const header = Buffer.concat([Buffer.from('PGCOPY\n\u00ff\r\n\0', 'latin1'), Buffer.alloc(8)]);
  const extended = Buffer.concat([header, Buffer.from('ext')]);
  extended.writeInt32BE(3, header.length - 4);

  it('a field of the binary format is read with or without a header before it', () => {
    for (const before of [Buffer.alloc(0), header, extended]) {
      expect(readOnlyField(Buffer.concat([before, field(5, 'bytes')]))?.toString()).toBe('bytes');
    }
  });

  it('a binary row without a value gives undefined, and one of two fields is refused', () => {
    for (const row of [Buffer.from([0xff, 0xff]), field(-1), header]) {
      expect(readOnlyField(row)).toBeUndefined();
    }
    expect(() => readOnlyField(Buffer.from([0, 2, 0, 0, 0, 0]))).toThrow('2 fields');
  });
});
