import type { Db } from '../../platform/db/db.ts';
import type { Extent } from '../domain.ts';
import { readLines } from '../store.ts';
import type { Finding } from './lines.ts';
import { findAbsentLine, findAlteredLine } from './verdict.ts';

const linesPerPage = 1_000;

/**
 * Checks each line of a complete range by its hash, page by page. What is wrong with the first that
 * is missing, or not as its hash says; undefined if none is, or `isWanted` ends it before.
 */
export async function findAlteredInRange(
  db: Db,
  wallet: { readonly id: string; readonly userId: string },
  { openingSeq, closingSeq }: Extent,
  isWanted: () => boolean,
): Promise<Finding | undefined> {
  const beforeSeq = closingSeq + 1n;
  for (let afterSeq = openingSeq; afterSeq < closingSeq && isWanted();) {
    const page = { afterSeq, beforeSeq, limit: linesPerPage, isDescending: false };
    const lines = await db.read((tx) => readLines(tx, wallet, page));
    const found = findAbsentLine(lines, page) ?? findAlteredLine(lines);
    if (found !== undefined) return found;
    afterSeq = lines.at(-1)?.seq ?? closingSeq;
  }
  return undefined;
}
