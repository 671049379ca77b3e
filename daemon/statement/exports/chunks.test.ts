import { createHash } from 'node:crypto';

import { expect, it } from 'vitest';

import { createChunks } from './chunks.ts';

it('a file is cut into chunks that begin where the previous one ends, between characters', () => {
  const chunks = createChunks();
  const stored: Buffer[] = [];
  let bytes = 0n;
  const store = (): void => {
    const full = chunks.takeFull();
    for (const { n, startAt, data } of full) {
      expect(n).toBe(stored.length);
      expect(startAt).toBe(bytes);
      // Throws at a chunk of a character.
      new TextDecoder('utf8', { fatal: true }).decode(data);
      stored.push(Buffer.from(data));
      bytes += BigInt(data.length);
    }
    chunks.release(full);
  };
  let expected = '';
  for (let i = 0; i < 4_000; i += 1) {
    const text = `${'é日😀'.repeat(i % 40)}${i}\n`;
    expected += text;
    // Alternately as a text and as bytes that the caller writes.
    if (i % 2 === 0) {
      chunks.text(text);
    } else {
      const room = Buffer.byteLength(text);
      expect(chunks.makeRoom(room)).toBe(true);
      chunks.fillTo(chunks.filled() + chunks.current().write(text, chunks.filled()));
    }
    if (i % 500 === 0) store();
  }
  chunks.text('x'.repeat(600_000));
  expected += 'x'.repeat(600_000);
  chunks.close();
  store();
  const whole = Buffer.concat(stored);
  expect(whole.toString() === expected).toBe(true);
  const sha256 = createHash('sha256').update(whole).digest();
  expect(chunks.result()).toEqual({ bytes: BigInt(whole.length), sha256 });
  expect(chunks.makeRoom(10_000_000)).toBe(false);
});
