import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createCommitFinder } from './commit-finder.ts';

function message(type: string, text: string): Buffer {
  const body = Buffer.from(`${text}\0`);
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function startUp(text: string): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length + 4);
  return Buffer.concat([head, body]);
}

describe('finding COMMIT in a Postgres connection', () => {
  it('the answer to COMMIT is found behind other answers in the same chunk', () => {
    const before = Buffer.concat([message('D', 'COMMIT'), message('C', 'INSERT 0 1')]);
    const find = createCommitFinder('C');
    expect(find(Buffer.concat([before, message('C', 'COMMIT')]))).toBe(before.length);
  });

  it('other texts are not taken for it', () => {
    const find = createCommitFinder('C');
    for (const text of ['ROLLBACK', 'BEGIN', 'SELECT 1', 'UPDATE 10'])
      expect(find(message('C', text))).toBeUndefined();
    expect(find(message('D', 'COMMIT'))).toBeUndefined();
  });

  it('COMMIT is found however the bytes are cut into chunks', () => {
    const texts = fc.constantFrom('COMMIT', 'BEGIN', 'SELECT 1', '');
    const cuts = fc.array(fc.nat(400), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(texts, { maxLength: 12 }), cuts, (sent, places) => {
        const bytes = Buffer.concat([
          startUp('user\0COMMIT\0'),
          ...sent.map((text) => message('Q', text)),
        ]);
        const find = createCommitFinder('Q');
        const inside = places.filter((place) => place > 0 && place < bytes.length);
        const ends = [...new Set([...inside, bytes.length])].sort((a, b) => a - b);
        let from = 0;
        let found = 0;
        for (const to of ends) {
          // A chunk with two of them is found once: the connection is cut at the first.
          if (find(bytes.subarray(from, to)) !== undefined) found += 1;
          from = to;
        }
        const wanted = sent.filter((text) => text === 'COMMIT').length;
        expect(found > 0).toBe(wanted > 0);
        expect(found).toBeLessThanOrEqual(wanted);
      }),
    );
  });
});
