import type { Db } from '../../platform/db.ts';
import type { Extent } from '../domain.ts';
import { readLines } from '../store.ts';
import type { Finding } from './lines.ts';
import { findAlteredLine } from './verdict.ts';

const linesPerPage = 1_000;

/**
 * Checks each line of a range by its hash, page by page. What is wrong with the first that is not as
 * its hash says; undefined if none is, or `isWanted` ends it before.
 */
export async function findAlteredInRange(
  db: Db,
  wallet: { readonly id: string; readonly userId: string },
  { openingSeq, closingSeq }: Extent,
  isWanted: () => boolean,
): Promise<Finding | undefined> {
  for (let afterSeq = openingSeq; afterSeq < closingSeq && isWanted();) {
    const page = { afterSeq, beforeSeq: closingSeq + 1n, limit: linesPerPage };
    const lines = await db.read((tx) =>
      readLines(tx, wallet, { ...page, operations: [], isDescending: false }),
    );
    const altered = findAlteredLine(lines);
    if (altered !== undefined) return altered;
    const last = lines.at(-1);
    if (!last) {
      const seq = afterSeq + 1n;
      const text = `line ${seq} is not one of the wallet's owner`;
      return { kind: 'own_hash', seq, hash: '0'.repeat(64), text };
    }
    afterSeq = last.seq;
  }
  return undefined;
}
