import { afterEach, describe, expect, it, vi } from 'vitest';

import { createMessageReader } from './message.ts';

const framed = (text: string): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
};

function read(chunks: readonly Buffer[], maxBytes = 100) {
  const reader = createMessageReader(maxBytes);
  for (const chunk of chunks) {
    const fault = reader.add(chunk);
    if (fault) return fault;
  }
  const end = reader.end();
  return Buffer.isBuffer(end) ? end.toString() : end;
}

/** How many bytes are copied from one buffer to another while this runs. */
function countCopied(work: () => void): number {
  let copied = 0;
  const concat = Buffer.concat.bind(Buffer);
  vi.spyOn(Buffer, 'concat').mockImplementation((list, length) => {
    const joined = concat(list, length);
    copied += joined.length;
    return joined;
  });
  const copy = Reflect.get(Buffer.prototype, 'copy') as (...args: unknown[]) => number;
  vi.spyOn(Buffer.prototype, 'copy').mockImplementation(function (
    this: Buffer,
    ...args: unknown[]
  ) {
    const bytes = copy.apply(this, args);
    copied += bytes;
    return bytes;
  });
  work();
  vi.restoreAllMocks();
  return copied;
}

afterEach(() => vi.restoreAllMocks());

describe('the message of a unary call', () => {
  it('a message is read whole, wherever its bytes are split', () => {
    const bytes = framed('a message');
    expect(read([bytes])).toBe('a message');
    for (let at = 1; at < bytes.length; at += 1) {
      expect(read([bytes.subarray(0, at), bytes.subarray(at)])).toBe('a message');
    }
    expect(read([...bytes].map((byte) => Buffer.from([byte])))).toBe('a message');
    expect(read([framed('')])).toBe('');
  });

  it('a missing or incomplete message is reported as none', () => {
    expect(read([])).toMatchObject({ kind: 'none' });
    expect(read([Buffer.from([0, 0])])).toMatchObject({ kind: 'none' });
    expect(read([framed('a message').subarray(0, 8)])).toMatchObject({ kind: 'none' });
  });

  it('a message that is too large is refused as soon as its length is known', () => {
    const reader = createMessageReader(100);
    expect(reader.add(Buffer.from([0, 0, 0, 0]))).toBeUndefined();
    expect(reader.add(Buffer.from([101]))).toMatchObject({ kind: 'too large', bytes: 101 });
    expect(read([framed('m'.repeat(100))])).toBe('m'.repeat(100));
  });

  it('bytes after the message are reported as several messages', () => {
    expect(read([framed('one'), framed('two')])).toMatchObject({ kind: 'several' });
    expect(read([Buffer.concat([framed('one'), Buffer.from([0])])])).toMatchObject({
      kind: 'several',
    });
  });

  it('the bytes copied for a message are linear in its size, however it is split', () => {
    for (const size of [500, 1_000, 200_000]) {
      const bytes = framed('m'.repeat(size));
      for (const width of size > 1_000 ? [64, 1_000, 16_384] : [1, 2, 64]) {
        // The head byte by byte: what is joined again for each frame is joined then.
        const chunks = [...cut(bytes.subarray(0, 5), 1), ...cut(bytes.subarray(5), width)];
        let text: unknown;
        const copied = countCopied(() => (text = read(chunks, 256 * 1024)));
        expect(text).toBe('m'.repeat(size));
        expect(copied).toBeLessThan(4 * bytes.length + 1_000);
      }
    }
  });

  it('a message in far too many small frames is refused as fragmented', () => {
    const reader = createMessageReader(256 * 1024);
    const add = (bytes: number[]) => reader.add(Buffer.from(bytes));
    for (const byte of [0, 0, 3, 0, 0]) expect(add([byte])).toBeUndefined();
    let frames = 5;
    const copied = countCopied(() => {
      while (frames < 10_000 && !add([1])) frames += 1;
      for (let i = 0; i < 2_000; i += 1) add([1]);
    });
    expect(frames).toBeGreaterThan(1_000);
    expect(frames).toBeLessThan(2_000);
    expect(copied).toBeLessThan(10_000);
    expect(reader.end()).toMatchObject({ kind: 'fragmented' });
  });

  it('a message keeps copies of its bytes, not the buffer that was read with them', () => {
    const read64 = Buffer.alloc(65_536);
    const reader = createMessageReader(1_000);
    reader.add(read64.subarray(10, 13));
    read64.writeUInt8(2, 19);
    reader.add(read64.subarray(18, 22));
    read64.fill(7);
    expect(reader.end()).toEqual(Buffer.from([0, 0]));
  });
});

function cut(bytes: Buffer, width: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += width) chunks.push(bytes.subarray(at, at + width));
  return chunks;
}
