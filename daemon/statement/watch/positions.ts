import type { Line } from '../domain.ts';
import { hasOwnHash, type Finding } from '../witness/lines.ts';
import { findAlteredLine, toBroken } from '../witness/verdict.ts';

/** Where a watch of one wallet stands. */
export type Position = {
  readonly walletId: string;
  readonly userId: string;
  readonly currency: string;
  /** Of the last line that was sent; 0 if none was. */
  readonly seq: bigint;
  /** Its hash: 64 hex digits, or the first 16 of them from a cursor. Unused for seq 0. */
  readonly hash: string;
  /** False where that line has to be read again before the next is sent. */
  readonly isConfirmed: boolean;
};

/** What is read next: the lines behind the position, or before them its own line. */
export const firstSeqOf = ({ seq, isConfirmed }: Position): bigint =>
  seq === 0n || isConfirmed ? seq + 1n : seq;

type Advance = {
  /** To be sent, in order. */
  readonly lines: readonly Line[];
  /** As before the lines, but confirmed if its line was read; or to be read again. */
  readonly position: Position;
  /** What contradicts: behind it nothing is sent. */
  readonly found?: Finding;
  /** The line that was sent last is another one by now. */
  readonly isReplaced?: true;
};

/**
 * What of the lines read from `firstSeqOf` on can be sent: up to the first that is missing, or is
 * not what its hash says, or does not follow the line before it.
 */
export function advance(position: Position, read: readonly Line[]): Advance {
  if (position.seq === 0n) return follow(position, read);
  if (position.isConfirmed) {
    const next = follow(position, read);
    // The line that was sent last may have been repaired since: it is read again.
    const isLinked = next.lines.length > 0 || next.found?.kind !== 'broken_link';
    return isLinked ? next : { lines: [], position: { ...position, isConfirmed: false } };
  }
  const [first] = read;
  if (first?.seq !== position.seq) return { lines: [], position };
  const found = findAlteredLine([first]);
  if (found) return { lines: [], position, found };
  if (!first.hash.startsWith(position.hash)) return { lines: [], position, isReplaced: true };
  return follow({ ...position, hash: first.hash, isConfirmed: true }, read.slice(1));
}

function follow(position: Position, read: readonly Line[]): Advance {
  const lines: Line[] = [];
  let last: Pick<Line, 'seq' | 'hash'> = position;
  for (const line of read) {
    if (line.seq !== last.seq + 1n) break;
    if (!hasOwnHash(line, lines.at(-1))) {
      const found = findAlteredLine([line]);
      return { lines, position, ...(found ? { found } : {}) };
    }
    if (last.seq > 0n && line.previousHash !== last.hash) {
      return { lines, position, found: toBroken(line.seq, line.hash) };
    }
    lines.push(line);
    last = line;
  }
  return { lines, position };
}

/** The position once a line of its wallet was sent. */
export const moveTo = (position: Position, { seq, hash }: Line): Position => ({
  ...position,
  ...{ seq, hash, isConfirmed: true },
});
