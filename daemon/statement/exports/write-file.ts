import { createHash } from 'node:crypto';

import { createStatementWriter, type StatementHead } from '../../../core/statement-format/index.ts';
import type { Db } from '../../platform/db.ts';
import type { Extent } from '../domain.ts';
import { readFileLines } from '../store.ts';
import type { Export } from './domain.ts';
import { appendChunks, renewExport, type Chunk } from './store-work.ts';

export type WrittenFile = {
  readonly rows: bigint;
  readonly bytes: bigint;
  readonly sha256: Buffer;
};

/** The attempt is no longer the one that counts, or shall not go on: nothing more was written. */
export const abandoned = Symbol('abandoned');

const chunkBytes = 256 * 1024;
/** Pieces of one commit: fewer commits, and no more than this waits in memory. */
const chunksPerCommit = 4;
const linesPerPage = 1_000;

export type WriteOptions = {
  readonly db: Db;
  readonly leaseMs: number;
  /** False once the work shall end before it is done. */
  readonly isWanted: () => boolean;
};

/**
 * Writes the lines of a complete range into pieces, page by page, whatever their number: a page and
 * a few pieces are in memory at a time. Rejects where the lines do not add up to the closing balance.
 */
export async function writeFile(
  options: WriteOptions,
  made: Export,
  extent: Extent,
): Promise<WrittenFile | typeof abandoned> {
  const writer = createStatementWriter(made.format, headOf(made, extent), made);
  const sink = createSink(options, made);
  const balance = startBalanceCheck(made, extent);
  await sink.write(writer.begin(), 0n);
  let rows = 0n;
  for await (const lines of readPages(options.db, made, extent)) {
    if (!options.isWanted()) return abandoned;
    const texts: string[] = [];
    for (const line of lines) {
      balance.add(line);
      texts.push(writer.line(line));
    }
    rows += BigInt(lines.length);
    if (!(await sink.write(texts.join(''), rows))) return abandoned;
  }
  balance.end(rows);
  await sink.write(writer.end(), rows);
  return (await sink.end(rows)) ? { rows, ...sink.result() } : abandoned;
}

function headOf({ walletId, currency, range }: Export, extent: Extent): StatementHead {
  const { openingMinor, totalDebitMinor, totalCreditMinor, closingMinor } = extent;
  const totals = { openingMinor, totalDebitMinor, totalCreditMinor, closingMinor };
  return { walletId, currency, ...range, ...totals };
}

/** Pages in order of seq; the next one is read while the last is written. */
async function* readPages(db: Db, { walletId, userId }: Export, extent: Extent) {
  const throughSeq = extent.closingSeq;
  const read = (afterSeq: bigint) => {
    const page = db.read((tx) =>
      readFileLines(tx, { id: walletId, userId }, { afterSeq, throughSeq, limit: linesPerPage }),
    );
    // Awaited later; a failure must not count as unhandled until then.
    page.catch(() => undefined);
    return page;
  };
  let next = read(extent.openingSeq);
  for (;;) {
    const lines = await next;
    const last = lines.at(-1);
    if (!last) return;
    if (last.seq < throughSeq) next = read(last.seq);
    yield lines;
    if (last.seq >= throughSeq) return;
  }
}

/** Each line's balance follows from the one before, and the last is the closing balance. */
function startBalanceCheck({ walletId }: Export, extent: Extent) {
  const fail = (where: string): never => {
    throw new Error(`the lines of wallet ${walletId} do not add up ${where}`);
  };
  let { openingSeq: seq, openingMinor: balanceMinor } = extent;
  return {
    add: (line: { seq: bigint; amountMinor: bigint; balanceAfterMinor: bigint }): void => {
      seq += 1n;
      balanceMinor += line.amountMinor;
      if (line.seq !== seq || line.balanceAfterMinor !== balanceMinor) fail(`at seq ${seq}`);
    },
    end: (rows: bigint): void => {
      const isWhole = seq === extent.closingSeq && balanceMinor === extent.closingMinor;
      if (!isWhole || rows !== extent.closingSeq - extent.openingSeq) fail('at the end');
    },
  };
}

/**
 * Fills pieces with text, and commits some at a time while the next are filled. Two sets of pieces
 * take turns, so that a file of any size needs the memory of these only.
 */
function createSink({ db, leaseMs }: WriteOptions, { id, attempt }: Export) {
  const hash = createHash('sha256');
  const encoder = new TextEncoder();
  const sets = [0, 1].map(() =>
    Array.from({ length: chunksPerCommit }, () => Buffer.allocUnsafeSlow(chunkBytes)),
  );
  let set = 0;
  let chunks: Chunk[] = [];
  /** Bytes in the piece that is being filled. */
  let filled = 0;
  let bytes = 0n;
  let n = 0;
  let committing: Promise<boolean> = Promise.resolve(true);

  const commit = (ready: readonly Chunk[], rows: bigint): Promise<boolean> =>
    db.tx(async (tx) => {
      if (!(await renewExport(tx, { id, attempt }, leaseMs, rows))) return false;
      await appendChunks(tx, { id, attempt }, ready);
      return true;
    });

  const closePiece = (): void => {
    const data = sets[set]?.[chunks.length]?.subarray(0, filled);
    if (!data || filled === 0) return;
    hash.update(data);
    chunks.push({ n, startAt: bytes, data });
    n += 1;
    bytes += BigInt(filled);
    filled = 0;
  };

  /** False once nothing more can be written. The set before is free again after this. */
  const flush = async (rows: bigint): Promise<boolean> => {
    if (!(await committing)) return false;
    committing = commit(chunks, rows);
    committing.catch(() => undefined);
    chunks = [];
    set = 1 - set;
    return true;
  };

  return {
    /** False once nothing more can be written. */
    write: async (text: string, rows: bigint): Promise<boolean> => {
      for (let rest = text; rest !== '';) {
        const piece = sets[set]?.[chunks.length];
        if (!piece) throw new Error('no piece to write to');
        // A character is never cut: a piece may lack up to three bytes.
        const { read, written } = encoder.encodeInto(rest, piece.subarray(filled));
        filled += written;
        rest = rest.slice(read);
        if (rest === '') break;
        closePiece();
        if (chunks.length === chunksPerCommit && !(await flush(rows))) return false;
      }
      return true;
    },
    end: async (rows: bigint): Promise<boolean> => {
      closePiece();
      return (await flush(rows)) && committing;
    },
    result: () => ({ bytes, sha256: hash.digest() }),
  };
}
