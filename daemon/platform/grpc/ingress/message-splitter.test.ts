import { describe, expect, it } from 'vitest';

import { createMessageSplitter, type SplitterOptions } from './message-splitter.ts';

const framed = (text: string): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
};

function split(chunks: readonly Buffer[], options: Partial<SplitterOptions> = {}) {
  const whole = { maxBytes: 1_000, isSingle: false, isOneByOne: false };
  const splitter = createMessageSplitter({ ...whole, ...options });
  const parts = chunks.flatMap((chunk) => splitter.add(chunk));
  return { splitter, parts: parts.map((part) => part.toString('latin1')) };
}

const texts = ['one', '', 'three', 'm'.repeat(300)];
const bytes = Buffer.concat(texts.map(framed));
const messages = texts.map((text) => framed(text).toString('latin1'));

describe('message splitter', () => {
  it('messages of a stream are passed on whole, wherever their bytes are split', () => {
    for (let at = 1; at < bytes.length; at += 1) {
      const { parts } = split([bytes.subarray(0, at), bytes.subarray(at)]);
      expect(parts.join('')).toBe(messages.join(''));
    }
    expect(split([...bytes].map((byte) => Buffer.from([byte]))).parts).toEqual(messages);
  });

  it('whole messages are passed on at once, or one by one with isOneByOne', () => {
    expect(split([bytes]).parts).toEqual([messages.join('')]);
    expect(split([bytes], { isOneByOne: true }).parts).toEqual(messages);
  });

  it('bytes are held until their message is complete', () => {
    const { splitter, parts } = split([framed('a message').subarray(0, 8)]);
    expect(parts).toEqual([]);
    expect(splitter.heldBytes).toBe(8);
  });

  it('the bytes end after the head of a message that is too large', () => {
    const large = Buffer.from([0, 0, 0, 4, 0, 1, 2, 3]);
    const head = large.subarray(0, 5).toString('latin1');
    expect(split([framed('one'), large, large]).parts).toEqual([messages[0], head]);
    expect(split([large.subarray(0, 2), large.subarray(2), large]).parts).toEqual([head]);
  });

  it('a second message of a call with one is passed on empty, and nothing after it', () => {
    const empty = Buffer.alloc(5).toString('latin1');
    const { parts } = split([bytes, bytes], { isSingle: true });
    expect(parts.join('')).toBe(`${messages[0]}${empty}`);
  });

  it('a message in far too many frames is reported as fragmented and not passed on', () => {
    const head = Buffer.from([0, 0, 0, 3, 0]);
    const bits = Array.from({ length: 700 }, () => Buffer.from([1]));
    expect(split([head, ...bits]).splitter.isFragmented).toBe(false);
    const long = Buffer.from([0, 0, 3, 0, 0]);
    const more = Array.from({ length: 2_000 }, () => Buffer.from([1]));
    const { splitter, parts } = split([long, ...more], { maxBytes: 256 * 1024 });
    expect(splitter.isFragmented).toBe(true);
    expect(splitter.heldBytes).toBeLessThan(1_100);
    expect(parts).toEqual([]);
  });
});
