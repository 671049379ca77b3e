import { open, rename, rm, truncate, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { fail, succeed, type Outcome } from '../failures.ts';
import { parseJsonObject, readTextIfAny, syncDir } from '../files.ts';
import type { RowStatus } from './results.ts';

export type Counts = Readonly<Record<RowStatus, number>>;

export const noCounts: Counts = { done: 0, replayed: 0, rejected: 0, invalid: 0 };

/** How far a run got. */
export type Progress = {
  /** The last row with a result. */
  readonly row: number;
  /** The last row that was sent, answered or not. */
  readonly sentRow: number;
  /** The length of the results up to that row. */
  readonly bytes: number;
  /** Of the input up to that row, to tell whether it is still the same. */
  readonly digest: string;
  readonly counts: Counts;
  readonly startedAtMs: number;
};

/** The results of a run and the journal beside them, both on the disk before they count. */
export type Journal = {
  /** Where to go on; undefined at the beginning. */
  readonly resumed: Progress | undefined;
  readonly startedAtMs: number;
  /** Before rows up to this one are sent. */
  noteSent(row: number): Promise<void>;
  /** Appends results, then notes that they are there. */
  append(text: string, progress: Pick<Progress, 'row' | 'digest' | 'counts'>): Promise<void>;
  /** All is done: the results get their name, and the journal goes. */
  finish(): Promise<void>;
  close(): Promise<void>;
};

export type JournalOptions = {
  /** Where the results will be. */
  readonly path: string;
  /** What makes a run the same run: whoever goes on under another would mix two batches. */
  readonly run: Readonly<Record<string, string>>;
  readonly head: string;
  readonly nowMs: number;
  /** Fails unless there is a run to go on with. */
  readonly mustResume: boolean;
};

const partialOf = (path: string): string => `${path}.partial`;
const journalOf = (path: string): string => `${path}.journal`;

/** Opens the journal of a run, new or left by an earlier one. */
export async function openJournal(options: JournalOptions): Promise<Outcome<Journal>> {
  const { path, run } = options;
  const left = await readTextIfAny(journalOf(path));
  const begun = left === undefined ? undefined : readJournal(left);
  if (!begun && options.mustResume) {
    return fail('USAGE', `there is no run to go on with: ${journalOf(path)} is missing`, {
      field: 'resume',
      hint: 'run the command without --resume; rows that were done keep their keys',
    });
  }
  const other = begun && Object.keys(run).find((name) => run[name] !== begun.run[name]);
  if (other !== undefined) {
    return fail('USAGE', `an unfinished run of another batch is in ${path} (other ${other})`, {
      field: 'results',
      hint: `finish that one, or choose other results with --results, or remove ${journalOf(path)}`,
    });
  }
  const resumed = begun?.progress;
  const partial = await open(partialOf(path), resumed ? 'r+' : 'w', 0o600);
  if (resumed) await truncate(partialOf(path), resumed.bytes);
  const journal = await open(journalOf(path), begun ? 'a' : 'w', 0o600);
  const startedAtMs = begun?.startedAtMs ?? options.nowMs;
  if (!begun) await writeLine(journal, { run, startedAtMs });
  const state = createState(partial, journal, resumed?.bytes ?? 0);
  if (!resumed?.bytes) await state.write(options.head);
  return succeed({
    resumed,
    startedAtMs,
    noteSent: (row) => writeLine(journal, { sentRow: row }),
    append: state.append,
    finish: async () => {
      await state.close();
      await rename(partialOf(path), path);
      await rm(journalOf(path), { force: true });
      await syncDir(dirname(path));
    },
    close: state.close,
  });
}

function createState(partial: FileHandle, journal: FileHandle, startBytes: number) {
  let bytes = startBytes;
  const write = async (text: string): Promise<void> => {
    const data = Buffer.from(text);
    for (let offset = 0; offset < data.length;) {
      const { bytesWritten } = await partial.write(data, offset, data.length - offset, bytes);
      offset += bytesWritten;
      bytes += bytesWritten;
    }
  };
  return {
    write,
    append: async (
      text: string,
      progress: Pick<Progress, 'row' | 'digest' | 'counts'>,
    ): Promise<void> => {
      await write(text);
      await partial.datasync();
      await writeLine(journal, { ...progress, bytes });
    },
    close: async (): Promise<void> => {
      await partial.sync();
      await partial.close();
      await journal.close();
    },
  };
}

async function writeLine(journal: FileHandle, value: object): Promise<void> {
  await journal.appendFile(`${JSON.stringify(value)}\n`);
  await journal.datasync();
}

type Begun = {
  readonly run: Readonly<Record<string, unknown>>;
  readonly startedAtMs: number;
  readonly progress: Progress | undefined;
};

/** What a journal says; a last line that was cut off says nothing. */
function readJournal(text: string): Begun | undefined {
  const lines = text.split('\n').map(parseJsonObject);
  const [head] = lines;
  if (!head || typeof head['run'] !== 'object' || typeof head['startedAtMs'] !== 'number') {
    return undefined;
  }
  const startedAtMs = head['startedAtMs'];
  const last = lines.findLast((line) => typeof line?.['bytes'] === 'number');
  const sent = lines.findLast((line) => typeof line?.['sentRow'] === 'number');
  const progress = last && {
    ...(last as unknown as Omit<Progress, 'sentRow' | 'startedAtMs'>),
    sentRow: (sent?.['sentRow'] as number | undefined) ?? 0,
    startedAtMs,
  };
  const sentOnly = sent && {
    ...{ row: 0, bytes: 0, digest: '', counts: noCounts, startedAtMs },
    sentRow: sent['sentRow'] as number,
  };
  return { run: head['run'] as Begun['run'], startedAtMs, progress: progress ?? sentOnly };
}

/** True if a file can be read at all, for a plain word before anything is begun. */
export async function findReadProblem(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r');
    const isFolder = (await file.stat()).isDirectory();
    await file.close();
    return isFolder ? 'it is a folder' : undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? 'there is no such file'
      : (error as Error).message;
  }
}
