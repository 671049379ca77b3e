import {
  createStatementWriter,
  toFileLine,
  type StatementHead,
} from '../../../core/statement-format/index.ts';
import type { Db } from '../../platform/db/db.ts';
import type { Extent } from '../domain.ts';
import { readLinesAt } from '../rebuild/store.ts';
import { copyLines } from '../store.ts';
import { startRowCheck } from '../witness/check-rows.ts';
import type { Finding } from '../witness/lines.ts';
import { startBalanceCheck } from './balance-check.ts';
import type { Export } from './export-domain.ts';
import { createChunks } from './chunks.ts';
import { appendChunks, renewExport, type Chunk } from './store-work.ts';

export type WrittenFile = {
  readonly rows: bigint;
  readonly bytes: bigint;
  readonly sha256: Buffer;
};

/** The attempt is no longer the one that counts, or shall not go on: nothing more was written. */
export const abandoned = Symbol('abandoned');

/** What is wrong with the lines: there is no file. */
export type Inconsistent = { readonly found: Finding };

/** About so many bytes are read, written and committed at a time, whatever a line has. */
const pageBytes = 1024 * 1024;
const maxLinesPerPage = 10_000;
const firstLines = 1_000;

export type WriteOptions = {
  readonly db: Db;
  readonly leaseMs: number;
  /** False once the work shall end before it is done. */
  readonly isWanted: () => boolean;
};

/**
 * Writes the lines of a complete range into chunks, page by page, whatever their number: two pages
 * are in memory at a time, the one that is written and the one that is being committed. Each line
 * is verified before it is written. With one that is missing or altered it ends; chunks that were
 * committed by then are no file yet. Rejects where the lines do not add up to the closing balance.
 */
export async function writeFile(
  options: WriteOptions,
  made: Export,
  extent: Extent,
): Promise<WrittenFile | Inconsistent | typeof abandoned> {
  const writer = createStatementWriter(made.format, headOf(made, extent), made);
  const chunks = createChunks();
  const committer = createCommitter(options, made, chunks.release);
  const hash = await readOpeningHash(options.db, made, extent);
  const check = startRowCheck({ ...made, id: made.walletId }, { seq: extent.openingSeq, hash });
  const pages = createPageReader(options.db, made, extent, { writer, chunks, check });
  chunks.text(writer.begin());
  while (pages.hasMore()) {
    if (!options.isWanted()) return abandoned;
    const found = await pages.next();
    if (found) return (await committer.end()) ? { found } : abandoned;
    if (!(await committer.commit(chunks.takeFull(), pages.rows()))) return abandoned;
  }
  pages.end();
  chunks.text(writer.end());
  chunks.close();
  const isHeld = await committer.commit(chunks.takeFull(), pages.rows());
  if (!isHeld || !(await committer.end())) return abandoned;
  return { rows: pages.rows(), ...chunks.result() };
}

async function readOpeningHash(
  db: Db,
  { walletId }: Export,
  { openingSeq: seq }: Extent,
): Promise<string | undefined> {
  if (seq === 0n) return undefined;
  const [line] = await db.read((tx) => readLinesAt(tx, [{ walletId, seq }]));
  if (!line) throw new Error(`line ${seq} of wallet ${walletId} was removed meanwhile`);
  return line.hash;
}

function headOf({ walletId, currency, range, hasHolds }: Export, extent: Extent): StatementHead {
  const { openingMinor, totalDebitMinor, totalCreditMinor, closingMinor } = extent;
  const heldClosingMinor = hasHolds ? extent.heldClosingMinor : undefined;
  const totals = { openingMinor, totalDebitMinor, totalCreditMinor, closingMinor };
  return { walletId, currency, ...range, ...totals, heldClosingMinor };
}

/** Reads lines in order of seq, and has them verified and written into chunks as they come. */
function createPageReader(
  db: Db,
  { walletId, userId, hasHolds }: Export,
  extent: Extent,
  into: {
    readonly writer: ReturnType<typeof createStatementWriter>;
    readonly chunks: ReturnType<typeof createChunks>;
    readonly check: ReturnType<typeof startRowCheck>;
  },
) {
  const { writer, chunks, check } = into;
  const { row } = check;
  const balance = startBalanceCheck(walletId, extent);
  let afterSeq = extent.openingSeq;
  let lines = firstLines;
  let hidden = 0n;

  const writeRow = (): void => {
    balance.add(row);
    if (row.amount === 0 && !hasHolds) {
      hidden += 1n;
      return;
    }
    const { rows } = writer;
    const room = rows ? rows.roomOf(row) : Infinity;
    if (rows && chunks.makeRoom(room)) {
      const end = rows.write(row, chunks.current(), chunks.filled());
      if (end >= 0) {
        chunks.fillTo(end);
        return;
      }
    }
    chunks.text(writer.line(toFileLine(row, balance.seq())));
  };
  const rows = (): bigint => balance.seq() - extent.openingSeq - hidden;

  return {
    hasMore: (): boolean => afterSeq < extent.closingSeq,
    /** The next page; what is wrong with its first line that is not as it must be. */
    next: async (): Promise<Finding | undefined> => {
      const last = afterSeq + BigInt(lines);
      const throughSeq = last < extent.closingSeq ? last : extent.closingSeq;
      const before = chunks.bytes();
      let found: Finding | undefined;
      await db.read((tx) =>
        copyLines(tx, { id: walletId, userId }, { afterSeq, throughSeq }, (bytes, start, end) => {
          found ??= check.next(bytes, start, end);
          if (!found) writeRow();
        }),
      );
      found ??= check.findMissing(throughSeq);
      if (found) return found;
      balance.checkSeq(throughSeq);
      const perLine = Number(chunks.bytes() - before) / lines;
      lines = Math.max(1, Math.min(maxLinesPerPage, Math.floor(pageBytes / (perLine + 1))));
      afterSeq = throughSeq;
      return undefined;
    },
    end: balance.end,
    rows,
  };
}

/**
 * Commits chunks while the next are filled: one commit at a time, each of which renews the lease.
 */
function createCommitter(
  { db, leaseMs }: WriteOptions,
  { id, attempt }: Export,
  release: (chunks: readonly Chunk[]) => void,
) {
  let committing: Promise<boolean> = Promise.resolve(true);
  const store = async (chunks: readonly Chunk[], rows: bigint): Promise<boolean> => {
    const isHeld = await db.tx(async (tx) => {
      if (!(await renewExport(tx, { id, attempt }, leaseMs, rows))) return false;
      await appendChunks(tx, { id, attempt }, chunks);
      return true;
    });
    release(chunks);
    return isHeld;
  };
  return {
    /** False once nothing more can be written. Resolves when the commit before is done. */
    commit: async (chunks: readonly Chunk[], rows: bigint): Promise<boolean> => {
      if (!(await committing)) return false;
      if (chunks.length === 0) return true;
      committing = store(chunks, rows);
      // Awaited later; a failure must not count as unhandled until then.
      committing.catch(() => undefined);
      return true;
    },
    end: (): Promise<boolean> => committing,
  };
}
