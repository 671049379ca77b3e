import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { syncFolder } from '../../../../lib/files.ts';
import { failUsage, succeed, type Outcome } from '../../../outcome.ts';
import { createTotals, storeTotal, type Total } from '../totals.ts';
import { describePublished } from './publication.ts';
import { LockLostError, partialOf, ResultsError, sortedOf } from './files.ts';
import { openBoth, publish, type JournalOptions, type Progress } from './run-files.ts';
import { sortResults } from './sort.ts';

/** How far a run got with some results. */
type Line = Pick<Progress, 'row' | 'digest' | 'counts'> & {
  /** Rows that are deferred from now on. */
  readonly deferred?: readonly number[];
  /** Rows that were deferred and have results now. */
  readonly back?: readonly number[];
  /** Of the results that the line is about. */
  readonly totals?: readonly Total[];
};

/**
 * The results of a run and the journal beside them; results count once they are on the disk.
 * Everything here throws ResultsError where they cannot be written.
 */
export type Journal = {
  /** Where to go on; undefined at the beginning. */
  readonly resumed: Progress | undefined;
  /** The ledger position from before the first row was sent, if an earlier run has noted it. */
  readonly position: string | undefined;
  /** Notes that position on the disk, before any row is sent. */
  notePosition(position: string): Promise<void>;
  /** Before rows up to this one are sent. */
  noteSent(row: number): Promise<void>;
  /**
   * Hands over results, to be written in order, with the keys of rows that are paid. Resolves once
   * there is room for more.
   */
  append(text: string, progress: Line, paidKeys?: readonly string[]): Promise<void>;
  /** All is done: the results get their name, and the journal goes. */
  finish(): Promise<void>;
  /** Whatever was handed over is written. */
  close(): Promise<void>;
};

/** Opens the journal of a run, new or left by an earlier one. */
export async function openJournal(options: JournalOptions): Promise<Outcome<Journal>> {
  try {
    return await openFiles(options);
  } catch (error) {
    const problem = `cannot write ${partialOf(options.path)}: ${(error as Error).message}`;
    return failUsage('results', problem);
  }
}

async function openFiles(options: JournalOptions): Promise<Outcome<Journal>> {
  const opened = await openBoth(options);
  if (!opened.ok) return opened;
  const { partial, journal, left, begun, replaced } = opened.value;
  const { path, run, lock } = options;
  const resumed = begun?.progress;
  await partial.truncate(resumed?.bytes ?? 0);
  const checkLock = async (): Promise<void> => {
    if (!(await lock.isHeld())) throw new LockLostError(path);
  };
  const { addPaid } = options;
  const files = { partial, journal: createLines(journal), checkLock, addPaid };
  if (!begun) await journal.truncate(0);
  // A line that was cut off must not take the next one with it.
  else if (!left.endsWith('\n')) await journal.appendFile('\n');
  if (!begun) await files.journal.add({ run });
  const writer = createWriter(files, resumed);
  const sent = createSentNotes(files, resumed?.sentRow ?? 0);
  if (!resumed?.bytes) await writer.write(options.head);
  await syncFolder(dirname(path));
  const close = async (): Promise<void> => {
    try {
      await writer.drain();
      await checkLock();
      await sent.finish();
      await partial.sync();
    } finally {
      await partial.close();
      await journal.close();
    }
  };
  const finish = async (): Promise<void> => {
    await writer.drain();
    await checkLock();
    const sorted = writer.hasLate() ? await sortResults(partial, path) : undefined;
    const file = await (sorted ?? partial).stat();
    await partial.sync();
    await files.journal.addNow(await describePublished(sorted ?? partial));
    await sorted?.close();
    await close();
    await publish(path, replaced, { file, partial: sorted ? sortedOf(path) : partialOf(path) });
  };
  return succeed({
    resumed,
    position: begun?.position,
    notePosition: (position) => asResultsError(files.journal.addNow({ position })),
    noteSent: (row) => asResultsError(sent.note(row)),
    append: (text, line, paidKeys = []) => asResultsError(writer.append({ text, line, paidKeys })),
    finish: () => asResultsError(finish()),
    close: () => asResultsError(close()),
  });
}

async function asResultsError(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const isKnown = error instanceof ResultsError || error instanceof LockLostError;
    throw isKnown ? error : new ResultsError((error as Error).message);
  }
}

/** Appends lines to a journal one after the other, for concurrent callers. */
function createLines(file: FileHandle) {
  let last = Promise.resolve();
  const add = (value: object): Promise<void> =>
    (last = last.then(() => file.appendFile(`${JSON.stringify(value)}\n`)));
  return {
    add,
    /** Resolves once the line is on the disk. */
    addNow: async (value: object): Promise<void> => {
      await add(value);
      await file.datasync();
    },
  };
}

type Files = Pick<JournalOptions, 'addPaid'> & {
  readonly partial: FileHandle;
  readonly journal: ReturnType<typeof createLines>;
  /** Throws LockLostError. */
  readonly checkLock: () => Promise<void>;
};
type Results = {
  readonly text: string;
  readonly line: Line;
  readonly paidKeys: readonly string[];
};

/** Results that are handed over and not yet written, in chunks. */
const maxWaiting = 16;

/**
 * Writes results behind the sending: whatever came while the disk was busy is the next write. A
 * line in the journal follows them to the disk in its own time: without it, rows are only asked
 * for again under their keys.
 */
function createWriter(
  { partial, journal, checkLock, addPaid }: Files,
  resumed: Progress | undefined,
) {
  let bytes = resumed?.bytes ?? 0;
  let hasLate = resumed?.hasLate ?? false;
  let waiting: Results[] = [];
  let writing: Promise<void> | undefined;
  let hasFailed = false;
  const write = async (text: string): Promise<void> => {
    const data = Buffer.from(text);
    for (let offset = 0; offset < data.length;) {
      const { bytesWritten } = await partial.write(data, offset, data.length - offset, bytes);
      offset += bytesWritten;
      bytes += bytesWritten;
    }
  };
  const writeAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const text = waiting.map((results) => results.text).join('');
      const line = join(waiting.map((results) => results.line));
      const paidKeys = waiting.flatMap((results) => results.paidKeys);
      waiting = [];
      await checkLock();
      await addPaid?.(paidKeys);
      await write(text);
      await partial.datasync();
      await journal.add({ ...line, totals: (line.totals ?? []).map(storeTotal), bytes });
    }
    writing = undefined;
  };
  const drain = async (): Promise<void> => {
    await writing;
  };
  return {
    write,
    drain,
    /** True if results came after those of later rows. */
    hasLate: () => hasLate,
    append: async (results: Results): Promise<void> => {
      waiting.push(results);
      hasLate ||= (results.line.back ?? []).length > 0;
      if (!writing) {
        writing = writeAll();
        // The next write reports it, and so does close.
        writing.catch(() => {
          hasFailed = true;
        });
      }
      if (hasFailed || waiting.length >= maxWaiting) await drain();
    },
  };
}

/** Several lines as one. A row that is deferred and back within them is back. */
function join(lines: readonly Line[]): Line {
  const deferred = lines.flatMap((line) => line.deferred ?? []);
  const back = lines.flatMap((line) => line.back ?? []);
  const last = lines.at(-1);
  if (!last) throw new Error('there is no line');
  const { row, digest, counts } = last;
  const totals = createTotals();
  for (const line of lines) line.totals?.forEach(totals.add);
  return {
    ...{ row, digest, counts, totals: totals.list() },
    ...(deferred.length > 0 && { deferred }),
    ...(back.length > 0 && { back }),
  };
}

/** So far ahead it is noted what may have been sent, so that not each chunk waits for the disk. */
const notedAheadRows = 10_000;

function createSentNotes({ journal, checkLock }: Files, startRow: number) {
  let sentRow = startRow;
  let notedRow = startRow;
  return {
    note: async (row: number): Promise<void> => {
      await checkLock();
      sentRow = Math.max(sentRow, row);
      if (row <= notedRow) return;
      notedRow = row + notedAheadRows;
      await journal.addNow({ sentRow: notedRow });
    },
    /** At an orderly end it is known exactly. */
    finish: (): Promise<void> => journal.addNow({ sentRow }),
  };
}
