import { describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import type { Line } from '../domain.ts';
import { chainLines, startMs } from '../test-support.ts';
import { advance, firstSeqOf, moveTo, type Position } from './positions.ts';

const userId = 'b51a4c0e-6a63-4f0c-b4a4-0b5d5f7f1c01';
const currency = 'BRL';
const wallet = { walletId: walletIdOf(userId, currency), userId, currency };

const makeLines = (count: number, description: string): Line[] =>
  chainLines(
    Array.from({ length: count }, (_, i) => ({
      ...wallet,
      seq: BigInt(i + 1),
      transactionId: `00000000-0000-5000-8000-${String(i).padStart(12, '0')}`,
      operation: 'deposit' as const,
      amountMinor: 100n,
      balanceAfterMinor: 100n * BigInt(i + 1),
      contraAccount: 'external:cash',
      parentId: undefined,
      description: i === 2 ? description : undefined,
      occurredAtMs: startMs + i,
      ...{ source: 'grpc', actor: userId, metadata: {}, more: undefined },
    })),
  );

const lines = makeLines(8, 'as it was');
/** The same wallet with another third line: all hashes from there on differ. */
const others = makeLines(8, 'rewritten');
const lineAt = (seq: number, of = lines): Line => of[seq - 1]!;
const from = (seq: number, of = lines): Line[] => of.slice(seq - 1);
const begin: Position = { ...wallet, seq: 0n, hash: '', isConfirmed: true };
const after = (seq: number): Position => moveTo(begin, lineAt(seq));
/** As a cursor gives it. */
const resumed = (seq: number): Position => ({
  ...after(seq),
  hash: lineAt(seq).hash.slice(0, 16),
  isConfirmed: false,
});
const seqsOf = (read: readonly Line[]): number[] => read.map(({ seq }) => Number(seq));
const altered = (seq: number): Line => ({ ...lineAt(seq), amountMinor: 1n });

describe('lines of a watch', () => {
  it('lines are sent in order from the first, or from the one after the last', () => {
    expect(seqsOf(advance(begin, from(1)).lines)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(seqsOf(advance(after(5), from(6)).lines)).toEqual([6, 7, 8]);
    expect(firstSeqOf(after(5))).toBe(6n);
  });

  it('no line is sent before all lines before it are there', () => {
    expect(advance(begin, from(2)).lines).toEqual([]);
    expect(advance(after(2), from(4)).lines).toEqual([]);
    const read = [lineAt(3), lineAt(5), lineAt(6)];
    expect(seqsOf(advance(after(2), read).lines)).toEqual([3]);
    expect(advance(after(2), read).found).toBeUndefined();
  });

  it('a resumed watch reads the last line again, and sends those after it', () => {
    expect(firstSeqOf(resumed(4))).toBe(4n);
    const step = advance(resumed(4), from(4));
    expect(seqsOf(step.lines)).toEqual([5, 6, 7, 8]);
    expect(step.position).toEqual(after(4));
  });

  it('a resumed watch waits while the last line is not there', () => {
    for (const read of [[], from(5)]) {
      expect(advance(resumed(4), read)).toEqual({ lines: [], position: resumed(4) });
    }
  });

  it('a cursor whose line has been replaced is not resumed', () => {
    expect(advance(resumed(4), from(4, others))).toMatchObject({ lines: [], isReplaced: true });
    expect(seqsOf(advance(resumed(2), from(2, others)).lines)).toEqual([3, 4, 5, 6, 7, 8]);
  });

  it('a line that is not what its hash says, and those after it, are not sent', () => {
    const read = [lineAt(3), lineAt(4), altered(5), lineAt(6)];
    const { lines: sent, found } = advance(after(2), read);
    expect(seqsOf(sent)).toEqual([3, 4]);
    expect(found).toMatchObject({ kind: 'own_hash', seq: 5n });
    expect(advance(resumed(5), [altered(5), lineAt(6)])).toMatchObject({
      ...{ lines: [], found: { kind: 'own_hash', seq: 5n } },
    });
  });

  it('a line of another wallet or owner is not sent', () => {
    const foreign = { ...lineAt(1), userId: 'b51a4c0e-6a63-4f0c-b4a4-0b5d5f7f1c02' };
    expect(advance(begin, [foreign])).toMatchObject({ lines: [], found: { kind: 'own_hash' } });
  });

  it('a line that does not follow the last one makes that one be read again first', () => {
    const step = advance(after(4), from(5, others));
    expect(step).toEqual({ lines: [], position: { ...after(4), isConfirmed: false } });
    expect(firstSeqOf(step.position)).toBe(4n);
    expect(advance(step.position, from(4, others))).toMatchObject({ isReplaced: true });
    const broken = advance(step.position, [lineAt(4), ...from(5, others)]);
    expect(broken).toMatchObject({ lines: [], found: { kind: 'broken_link', seq: 5n } });
  });

  it('lines before a broken link are sent, and none after it', () => {
    const { lines: sent, found } = advance(after(1), [lineAt(2), lineAt(3), ...from(4, others)]);
    expect(seqsOf(sent)).toEqual([2, 3]);
    expect(found).toMatchObject({ kind: 'broken_link', seq: 4n });
  });
});
