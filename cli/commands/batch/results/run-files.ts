import { rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { FileLock } from '../../../../lib/file-lock.ts';
import { syncFolder } from '../../../../lib/files.ts';
import { fail, failUsage, succeed, type Failed, type Outcome } from '../../../outcome.ts';
import {
  openOwnFile,
  parseJsonObject,
  publishFile,
  type FileIdentity,
  type OwnFile,
} from '../../../files/files.ts';
import { journalOf, partialOf, ResultsError } from './files.ts';
import { readPublished, takeBack, type Published } from './publication.ts';
import { renewBoth } from './renewal.ts';
import { createTotals, loadTotal, type StoredTotal, type Total } from '../totals.ts';
import { isResultsHead, type RowStatus } from './results.ts';

export type Counts = Readonly<Record<RowStatus, number>>;

export const noCounts: Counts = { done: 0, replayed: 0, rejected: 0, unknown: 0, invalid: 0 };

/** Rows that were not done as far as is known. */
export const failedOf = ({ rejected, unknown, invalid }: Counts): number =>
  rejected + unknown + invalid;

export const totalOf = (counts: Counts): number => counts.done + counts.replayed + failedOf(counts);

/** How far a run got. */
export type Progress = {
  /** The last row that has a result or is deferred. */
  readonly row: number;
  /** No row after this one was sent. */
  readonly sentRow: number;
  /** The length of the results up to that row. */
  readonly bytes: number;
  /** Of the input up to that row, to tell whether it is still the same. */
  readonly digest: string;
  readonly counts: Counts;
  /** Rows up to `row` without a result: their wallets were locked. */
  readonly deferred: ReadonlySet<number>;
  /** Some results came after those of later rows. */
  readonly hasLate: boolean;
  readonly totals: readonly Total[];
};

export type JournalOptions = {
  /** Where the results will be. */
  readonly path: string;
  /** What identifies a run: to resume under another identity would mix two batches. */
  readonly run: Readonly<Record<string, string>>;
  readonly head: string;
  /** Fails unless there is a run to go on with. */
  readonly mustResume: boolean;
  /** The file of results that may be replaced; any other one stays. */
  readonly replaced: FileIdentity | undefined;
  /** Of the run: only the process that holds it writes its files. */
  readonly lock: Pick<FileLock, 'isHeld' | 'isFromOtherHost'>;
  /** Makes the keys of rows that are paid durable, before their results count. */
  readonly addPaid?: ((keys: readonly string[]) => Promise<void>) | undefined;
};

/** Both files, open, and what the journal says of an earlier run. */
type OpenFiles = {
  readonly partial: FileHandle;
  readonly journal: FileHandle;
  /** The journal as it was found. */
  readonly left: string;
  readonly begun: Begun | undefined;
  /** What the results may replace. */
  readonly replaced: FileIdentity | undefined;
};

/** The results get their name, and the journal goes. */
export async function publish(
  path: string,
  replaced: FileIdentity | undefined,
  results: { readonly file: FileIdentity; readonly partial: string },
): Promise<void> {
  if (!(await publishFile(results, path, replaced))) {
    throw new ResultsError(`${path} was made meanwhile, and is not overwritten`);
  }
  await rm(journalOf(path), { force: true });
  await rm(partialOf(path), { force: true });
  await syncFolder(dirname(path));
}

/** Opens the results and the journal of a run, new or left by an earlier one. */
export async function openBoth(options: JournalOptions): Promise<Outcome<OpenFiles>> {
  const { path } = options;
  const journal = await openOwnFile(journalOf(path), 'results', { isAppended: true });
  if (!journal.ok) return journal;
  const left = await journal.value.file.readFile('utf8');
  const begun = readJournal(left);
  const refused = findMismatch(options, journal.value.isNew, left, begun);
  const replaced = refused ? undefined : await takeBack(path, begun?.published);
  const partial = refused ?? (await openOwnFile(partialOf(path), 'results'));
  const unfit = partial.ok ? await findUnfit(options, partial.value, begun) : partial;
  if (partial.ok && !unfit) {
    const files = { partial: partial.value.file, journal: journal.value.file };
    const own = options.lock.isFromOtherHost ? await renewBoth(path, files) : files;
    return succeed({ ...own, left, begun, replaced: replaced ?? options.replaced });
  }
  if (partial.ok) await partial.value.file.close();
  if (partial.ok && partial.value.isNew) await rm(partialOf(path), { force: true });
  await journal.value.file.close();
  if (journal.value.isNew) await rm(journalOf(path), { force: true });
  return unfit as Failed;
}

/** Why a journal that is there is not the one of this run. */
function findMismatch(
  { path, run, mustResume }: JournalOptions,
  isNew: boolean,
  left: string,
  begun: Begun | undefined,
): Failed | undefined {
  if (!begun && mustResume) {
    return fail('USAGE', `there is no run to resume: ${journalOf(path)} is missing`, {
      field: 'resume',
      hint: 'run the command without --resume; rows that were done keep their keys',
    });
  }
  if (!begun && !isNew && left.includes('\n')) {
    return failUsage(
      'results',
      `${journalOf(path)} is not the journal of a batch, and is not overwritten`,
      'choose other results with --results, or move that file',
    );
  }
  const other = begun && Object.keys(run).find((name) => run[name] !== begun.run[name]);
  if (other === undefined) return undefined;
  return fail('USAGE', `an unfinished run of another batch is in ${path} (other ${other})`, {
    field: 'results',
    hint: `finish that run, or choose another file with --results, or remove ${journalOf(path)}`,
  });
}

/** Why a file of the name of the partial results is not what this run left. */
async function findUnfit(
  { path }: JournalOptions,
  { file }: OwnFile,
  begun: Begun | undefined,
): Promise<Failed | undefined> {
  const bytes = begun?.progress?.bytes ?? 0;
  if ((await file.stat()).size < bytes) {
    return failUsage(
      'results',
      `${partialOf(path)} lacks results that the journal beside it counts`,
      `to begin again, remove ${journalOf(path)}; rows that were done keep their keys`,
    );
  }
  if (begun || (await isResultsHead(file))) return undefined;
  return failUsage(
    'results',
    `${partialOf(path)} holds no results of a batch, and is not overwritten`,
    'choose other results with --results, or move that file',
  );
}

type Begun = {
  readonly run: Readonly<Record<string, unknown>>;
  readonly position: string | undefined;
  /** The results that were about to get their name when the run was cut off. */
  readonly published: Published | undefined;
  readonly progress: Progress | undefined;
};

/** What a journal says; a last line that was cut off says nothing. */
function readJournal(text: string): Begun | undefined {
  const lines = text.split('\n').map(parseJsonObject);
  const [head] = lines;
  if (!head || typeof head['run'] !== 'object') return undefined;
  const counted = lines.filter((line) => typeof line?.['bytes'] === 'number');
  const last = counted.at(-1);
  const sent = lines.findLast((line) => typeof line?.['sentRow'] === 'number');
  // Before anything was sent, a later position is as good, and says more.
  const noted = sent && lines.findLast((line) => typeof line?.['position'] === 'string');
  const position = noted?.['position'] as string | undefined;
  const progress = last && {
    ...(last as unknown as Omit<Progress, 'sentRow'>),
    sentRow: (sent?.['sentRow'] as number | undefined) ?? 0,
    ...readAside(counted),
  };
  const sentOnly = sent && {
    ...{ row: 0, bytes: 0, digest: '', counts: noCounts, ...readAside([]) },
    sentRow: sent['sentRow'] as number,
  };
  return {
    run: head['run'] as Begun['run'],
    position,
    published: readPublished(lines),
    progress: progress ?? sentOnly,
  };
}

/** Which rows lines of a journal leave deferred, and the sum of their totals. */
function readAside(lines: readonly (Record<string, unknown> | undefined)[]) {
  const deferred = new Set<number>();
  const totals = createTotals();
  let hasLate = false;
  for (const line of lines) {
    for (const total of (line?.['totals'] as StoredTotal[] | undefined) ?? []) {
      totals.add(loadTotal(total));
    }
    for (const row of (line?.['deferred'] as number[] | undefined) ?? []) deferred.add(row);
    for (const row of (line?.['back'] as number[] | undefined) ?? []) {
      deferred.delete(row);
      hasLate = true;
    }
  }
  return { deferred, hasLate, totals: totals.list() };
}
