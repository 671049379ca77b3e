import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createNumbering, formatPlace, maxIdLength, readPlace } from './event-ids.ts';

const wallets = ['0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11', '5b0f7a3d-56d0-5e35-9c2f-a3a2f7c1d9a4'];
type Line = { readonly walletId: string; readonly seq: bigint };

/** A service whose cursor says how many lines of each wallet were sent; it answers as it likes. */
function createService(counts: readonly number[]) {
  const readCursor = (cursor: string): number[] =>
    cursor === '' ? wallets.map(() => 0) : cursor.split('_').map(Number);
  return {
    /** The responses from a cursor on, of at most `size` lines. */
    answer: (cursor: string, size: number, isReversed: boolean) => {
      const at = readCursor(cursor);
      const responses: { lines: Line[]; cursor: string }[] = [];
      const order = isReversed ? [...wallets.keys()].reverse() : [...wallets.keys()];
      for (;;) {
        const lines: Line[] = [];
        for (const i of order) {
          for (; (at[i] ?? 0) < (counts[i] ?? 0) && lines.length < size; at[i] = at[i]! + 1) {
            lines.push({ walletId: wallets[i]!, seq: BigInt(at[i]! + 1) });
          }
        }
        if (lines.length === 0) return responses;
        responses.push({ lines, cursor: at.join('_') });
      }
    },
  };
}

describe('ids of events', () => {
  it('a stream that is cut after any event goes on without loss and without a line twice', () => {
    const count = fc.nat(30);
    const cut = fc.record({
      after: fc.nat(12),
      size: fc.integer({ min: 1, max: 9 }),
      isReversed: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.tuple(count, count), fc.array(cut, { maxLength: 20 }), (counts, cuts) => {
        const service = createService(counts);
        const seen: Line[] = [];
        let id = '';
        const connect = (limit: number, size: number, isReversed: boolean): void => {
          const place = readPlace(id);
          if (!place.ok) throw new Error(place.fault.message);
          const numbering = createNumbering(place.value);
          let left = limit;
          for (const { lines, cursor } of service.answer(place.value.cursor, size, isReversed)) {
            for (const numbered of numbering.take(lines, cursor).numbered) {
              if (left === 0) return;
              left -= 1;
              seen.push(numbered.line);
              id = numbered.id;
            }
          }
        };
        for (const { after, size, isReversed } of cuts) connect(after, size, isReversed);
        connect(Infinity, 5, false);
        for (const [i, walletId] of wallets.entries()) {
          const seqs = seen.filter((line) => line.walletId === walletId).map(({ seq }) => seq);
          expect(seqs).toEqual(Array.from({ length: counts[i]! }, (_seq, n) => BigInt(n + 1)));
        }
      }),
    );
  });

  it('the longest id has at most 4 KiB', () => {
    const longest = 'A'.repeat(1_346);
    const ids = Array.from({ length: 50 }, () => crypto.randomUUID());
    const sent = new Map(ids.map((id) => [id, BigInt(Number.MAX_SAFE_INTEGER)]));
    const id = formatPlace({ cursor: longest, sent });
    expect(id.length).toBeLessThanOrEqual(maxIdLength);
    expect(readPlace(id)).toEqual({ ok: true, value: { cursor: longest, sent } });
  });

  it.each([
    ['one that is too long', 'A'.repeat(4_097)],
    ['a part that is too short', 'AAAA.short'],
    ['a seq of zero', `AAAA.${'A'.repeat(22)}0`],
    ['no seq', `AAAA.${'A'.repeat(22)}`],
    ['51 wallets', `AAAA${`.${'A'.repeat(22)}1`.repeat(51)}`],
    ['an empty part', 'AAAA.'],
  ])('an id with %s is refused', (_what, id) => {
    expect(readPlace(id)).toMatchObject({
      ok: false,
      fault: { reason: 'INVALID_ARGUMENT', metadata: { field: 'cursor' } },
    });
  });
});
