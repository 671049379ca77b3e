import { createHash } from 'node:crypto';

import { expect, it } from 'vitest';

import { createChunks } from './chunks.ts';

it('a file is cut into chunks that begin where the previous one ends, between characters', () => {
  const pieces = createChunks();
  const stored: Buffer[] = [];
  let bytes = 0n;
  const store = (): void => {
    const full = pieces.takeFull();
    for (const { n, startAt, data } of full) {
      expect(n).toBe(stored.length);
      expect(startAt).toBe(bytes);
      // Throws at a piece of a character.
      new TextDecoder('utf8', { fatal: true }).decode(data);
      stored.push(Buffer.from(data));
      bytes += BigInt(data.length);
    }
    pieces.release(full);
  };
  let expected = '';
  for (let i = 0; i < 4_000; i += 1) {
    const text = `${'é日😀'.repeat(i % 40)}${i}\n`;
    expected += text;
    // Alternately as a text and as bytes that the caller writes.
    if (i % 2 === 0) {
      pieces.text(text);
    } else {
      const room = Buffer.byteLength(text);
      expect(pieces.makeRoom(room)).toBe(true);
      pieces.fillTo(pieces.filled() + pieces.current().write(text, pieces.filled()));
    }
    if (i % 500 === 0) store();
  }
  pieces.text('x'.repeat(600_000));
  expected += 'x'.repeat(600_000);
  pieces.close();
  store();
  const whole = Buffer.concat(stored);
  expect(whole.toString() === expected).toBe(true);
  const sha256 = createHash('sha256').update(whole).digest();
  expect(pieces.result()).toEqual({ bytes: BigInt(whole.length), sha256 });
  expect(pieces.makeRoom(10_000_000)).toBe(false);
});
