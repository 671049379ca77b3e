import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import type { Line } from '../domain.ts';
import { chainLines } from '../test-support.ts';
import { hasOwnHash, listOpenLinks } from './lines.ts';
import { createTails } from './tails.ts';

const userIds = ['5b1d8a52-0c8d-4f2b-8a55-0d7d3c0a0001', '5b1d8a52-0c8d-4f2b-8a55-0d7d3c0a0002'];

/** Lines of a wallet; from `forkSeq` on they continue another line than the one before it. */
function makeLines(userId: string, count: number, forkSeq?: number): Line[] {
  const currency = 'EUR';
  const walletId = walletIdOf(userId, currency);
  const make = (description: string): Line[] =>
    chainLines(
      Array.from({ length: count }, (_, i) => ({
        ...{ walletId, userId, currency, parentId: undefined, source: 'grpc', actor: userId },
        ...{ seq: BigInt(i + 1), operation: 'deposit', amountMinor: 1n, contraAccount: 'bank' },
        transactionId: userId,
        balanceAfterMinor: BigInt(i + 1),
        description,
        metadata: {},
        more: undefined,
        occurredAtMs: 1_000 + i,
      })),
    );
  const lines = make('one');
  return forkSeq === undefined
    ? lines
    : [...lines.slice(0, forkSeq - 1), ...make('other').slice(forkSeq - 1)];
}

/** Stores the batches in turn, and gives the broken links that one process finds meanwhile. */
function findBroken(batches: readonly (readonly Line[])[], limit?: number): string[] {
  const tails = createTails(limit);
  const stored = new Map<string, Line>();
  const found = new Set<string>();
  const keyOf = (walletId: string, seq: bigint): string => `${walletId} ${seq}`;
  for (const batch of batches) {
    for (const line of batch) stored.set(keyOf(line.walletId, line.seq), line);
    const later: Line[] = [];
    for (const { walletId, seq, isEnd } of listOpenLinks(batch, tails)) {
      const isNext = (l: Line): boolean => l.walletId === walletId && l.seq >= seq;
      const [next] = [...stored.values()].filter(isNext).sort((a, b) => Number(a.seq - b.seq));
      const before = stored.get(keyOf(walletId, seq - 1n));
      const isBroken = next?.seq === seq && before && next.previousHash !== before.hash;
      if (isBroken) found.add(keyOf(walletId, seq));
      if (isEnd && next) later.push(next);
    }
    tails.note(batch, later);
  }
  return [...found];
}

const arrival = (lines: readonly Line[]) =>
  fc
    .tuple(
      fc.shuffledSubarray([...lines], { minLength: lines.length }),
      fc.array(fc.integer({ min: 1, max: 7 }), {
        minLength: lines.length,
        maxLength: lines.length,
      }),
      fc.boolean(),
    )
    .map(([shuffled, sizes, isInOrder]) => {
      const rest = isInOrder ? [...lines] : [...shuffled];
      return sizes.map((size) => rest.splice(0, size)).filter((batch) => batch.length > 0);
    });

describe('links between lines', () => {
  it.each([undefined, 1])('a fork is found in whatever order lines come (memory: %s)', (limit) => {
    const cases = fc.integer({ min: 2, max: 9 }).chain((forkSeq) => {
      const [one = '', two = ''] = userIds;
      const lines = [...makeLines(one, 9, forkSeq), ...makeLines(two, 9)];
      return fc.tuple(fc.constant(`${walletIdOf(one, 'EUR')} ${forkSeq}`), arrival(lines));
    });
    fc.assert(
      fc.property(cases, ([broken, batches]) => {
        expect(findBroken(batches, limit)).toEqual([broken]);
      }),
    );
  });

  it('lines that follow a remembered tail have no open links', () => {
    const tails = createTails();
    const lines = makeLines(userIds[0] ?? '', 9);
    tails.note(lines.slice(0, 4));
    expect(listOpenLinks(lines.slice(4), tails)).toEqual([]);
    tails.forget([lines[0]?.walletId ?? '']);
    expect(listOpenLinks(lines.slice(4), tails).map(({ seq }) => seq)).toEqual([5n, 10n]);
  });
});

describe('hashes and tails', () => {
  it('hasOwnHash is false for a changed amount, owner, currency or wallet', () => {
    const [first, second] = makeLines(userIds[0] ?? '', 2);
    const [foreign] = makeLines(userIds[1] ?? '', 1);
    if (!first || !second || !foreign) throw new Error('no lines');
    expect(hasOwnHash(second, first)).toBe(true);
    expect(hasOwnHash({ ...second, amountMinor: 2n }, first)).toBe(false);
    expect(hasOwnHash({ ...second, userId: foreign.userId }, first)).toBe(false);
    expect(hasOwnHash({ ...second, currency: 'USD' }, first)).toBe(false);
    expect(hasOwnHash({ ...second, walletId: foreign.walletId }, foreign)).toBe(false);
  });

  it('the tails of the wallets that moved last are remembered', () => {
    const tails = createTails(2);
    const walletIds = ['a', 'b', 'c', 'd', 'e'];
    for (const walletId of walletIds) {
      tails.note([{ ...makeLines(userIds[0] ?? '', 1)[0], walletId } as Line]);
    }
    expect(walletIds.filter((id) => tails.get(id) !== undefined)).toEqual(['c', 'd', 'e']);
  });
});
