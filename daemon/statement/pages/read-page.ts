import type { Operation } from '../../../core/operations.ts';
import type { Db } from '../../platform/db/db.ts';
import { isHoldLine, type Line } from '../domain.ts';
import type { Generated, Wallet } from './generate.ts';
import { readLines } from '../store.ts';
import type { Finding } from '../witness/lines.ts';
import { findAbsentLine, findAlteredLine } from '../witness/verdict.ts';

export type PageQuery = {
  readonly size: number;
  /** Where the page before ended; undefined for the first. */
  readonly fromSeq: bigint | undefined;
  /** None means all. */
  readonly operations: readonly Operation[];
  readonly isDescending: boolean;
  /** Whether lines of holds and releases are shown. */
  readonly hasHolds: boolean;
};

type Page = {
  readonly lines: readonly Line[];
  /** Where this page ends; undefined where no more follow. */
  readonly nextSeq: bigint | undefined;
  /** What is wrong with the lines that were read for it; undefined if nothing is. */
  readonly found: Finding | undefined;
};

/** So many lines are read for one page, in parts, where only some lines are wanted. */
const maxLinesRead = 5_000;
const linesPerRead = 1_000;

/**
 * Reads a page. Lines of other operations, and those of holds, are read and checked as well: one
 * whose operation, amount or owner was edited must not just be left out. So a page of some of the
 * lines may be short, though more follow.
 */
export async function readPage(
  db: Db,
  wallet: Wallet,
  { extent, completeness }: Generated,
  { size, fromSeq, operations, isDescending, hasHolds }: PageQuery,
): Promise<Page> {
  const isWanted = (line: Line): boolean =>
    (hasHolds || !isHoldLine(line)) &&
    (operations.length === 0 || operations.includes(line.operation));
  let limit = operations.length === 0 ? size + 1 : linesPerRead;
  let afterSeq = isDescending ? extent.openingSeq : (fromSeq ?? extent.openingSeq);
  let beforeSeq = isDescending && fromSeq !== undefined ? fromSeq : extent.closingSeq + 1n;
  const lines: Line[] = [];
  let found: Finding | undefined;
  for (let count = 0; ;) {
    const part = { afterSeq, beforeSeq, isDescending, limit };
    const read = await db.read((tx) => readLines(tx, wallet, part));
    // An incomplete statement may lack lines: it says so.
    if (completeness.isComplete) found ??= findAbsentLine(read, part);
    found ??= findAlteredLine(read);
    lines.push(...read.filter(isWanted));
    count += read.length;
    const last = read.at(-1);
    if (lines.length > size) {
      const shown = lines.slice(0, size);
      return { lines: shown, nextSeq: shown.at(-1)?.seq, found };
    }
    if (!last || read.length < limit) return { lines, nextSeq: undefined, found };
    if (count >= maxLinesRead) return { lines, nextSeq: last.seq, found };
    limit = Math.max(limit, linesPerRead);
    if (isDescending) beforeSeq = last.seq;
    else afterSeq = last.seq;
  }
}
