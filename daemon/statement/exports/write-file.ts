import {
  createRowReader,
  createStatementWriter,
  toFileLine,
  type StatementHead,
} from '../../../core/statement-format/index.ts';
import type { Db } from '../../platform/db/db.ts';
import type { Extent } from '../domain.ts';
import { copyFileRows } from '../store.ts';
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
 * are in memory at a time, the one that is written and the one that is being committed. Rejects
 * where the lines do not add up to the closing balance.
 */
export async function writeFile(
  options: WriteOptions,
  made: Export,
  extent: Extent,
): Promise<WrittenFile | typeof abandoned> {
  const writer = createStatementWriter(made.format, headOf(made, extent), made);
  const chunks = createChunks();
  const committer = createCommitter(options, made, chunks.release);
  const pages = createPageReader(options.db, made, extent, { writer, chunks });
  chunks.text(writer.begin());
  while (pages.hasMore()) {
    if (!options.isWanted()) return abandoned;
    await pages.next();
    if (!(await committer.commit(chunks.takeFull(), pages.rows()))) return abandoned;
  }
  pages.end();
  chunks.text(writer.end());
  chunks.close();
  const isHeld = await committer.commit(chunks.takeFull(), pages.rows());
  if (!isHeld || !(await committer.end())) return abandoned;
  return { rows: pages.rows(), ...chunks.result() };
}

function headOf({ walletId, currency, range }: Export, extent: Extent): StatementHead {
  const { openingMinor, totalDebitMinor, totalCreditMinor, closingMinor } = extent;
  const totals = { openingMinor, totalDebitMinor, totalCreditMinor, closingMinor };
  return { walletId, currency, ...range, ...totals };
}

/** Reads lines in order of seq, and has them written into chunks as they come. */
function createPageReader(
  db: Db,
  { walletId, userId }: Export,
  extent: Extent,
  into: {
    readonly writer: ReturnType<typeof createStatementWriter>;
    readonly chunks: ReturnType<typeof createChunks>;
  },
) {
  const { writer, chunks } = into;
  const { row, read } = createRowReader();
  const balance = startBalanceCheck(walletId, extent);
  let afterSeq = extent.openingSeq;
  let lines = firstLines;

  const writeRow = (): void => {
    balance.add(row);
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
  const rows = (): bigint => balance.seq() - extent.openingSeq;

  return {
    hasMore: (): boolean => afterSeq < extent.closingSeq,
    next: async (): Promise<void> => {
      const last = afterSeq + BigInt(lines);
      const throughSeq = last < extent.closingSeq ? last : extent.closingSeq;
      const before = chunks.bytes();
      await db.read((tx) =>
        copyFileRows(tx, { id: walletId, userId }, { afterSeq, throughSeq }, (bytes, start) => {
          read(bytes, start);
          writeRow();
        }),
      );
      balance.checkSeq(throughSeq);
      const perLine = Number(chunks.bytes() - before) / lines;
      lines = Math.max(1, Math.min(maxLinesPerPage, Math.floor(pageBytes / (perLine + 1))));
      afterSeq = throughSeq;
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
