import { describe, expect, it } from 'vitest';

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

describe('the one message of a call', () => {
  it('is read whole, however it is cut', () => {
    const bytes = framed('a message');
    expect(read([bytes])).toBe('a message');
    for (let at = 1; at < bytes.length; at += 1) {
      expect(read([bytes.subarray(0, at), bytes.subarray(at)])).toBe('a message');
    }
    expect(read([...bytes].map((byte) => Buffer.from([byte])))).toBe('a message');
    expect(read([framed('')])).toBe('');
  });

  it('is none if nothing came, or not all of it', () => {
    expect(read([])).toMatchObject({ kind: 'none' });
    expect(read([Buffer.from([0, 0])])).toMatchObject({ kind: 'none' });
    expect(read([framed('a message').subarray(0, 8)])).toMatchObject({ kind: 'none' });
  });

  it('is refused as soon as its length is known to be too much', () => {
    const reader = createMessageReader(100);
    expect(reader.add(Buffer.from([0, 0, 0, 0]))).toBeUndefined();
    expect(reader.add(Buffer.from([101]))).toMatchObject({ kind: 'too large', bytes: 101 });
    expect(read([framed('m'.repeat(100))])).toBe('m'.repeat(100));
  });

  it('has nothing behind it', () => {
    expect(read([framed('one'), framed('two')])).toMatchObject({ kind: 'several' });
    expect(read([Buffer.concat([framed('one'), Buffer.from([0])])])).toMatchObject({
      kind: 'several',
    });
  });
});
