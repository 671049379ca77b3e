import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import type { Context } from '../../context.ts';
import type { FileIdentity } from '../../files/files.ts';
import { withLock } from '../../files/lock.ts';
import type { FileLock } from '../../../lib/file-lock.ts';
import { fail, failUsage, type CommandOutcome, type Failed, type Outcome } from '../../outcome.ts';
import type { Actor } from '../users/actor.ts';
import { conclude } from './conclude.ts';
import { createProgressLine } from './progress.ts';
import { openJournal } from './results/journal.ts';
import { formatHead, type ResultsFormat } from './results/results.ts';
import { LockLostError, ResultsError } from './results/files.ts';
import type { Progress } from './results/run-files.ts';
import type { Chunk } from './rows/chunk.ts';
import { InputError } from './rows/raw-row.ts';
import { runChunks, type RunEnd } from './run-rows.ts';

/** Where the results of a run go, as `checkResultsTarget` found it. */
export type RunTarget = {
  readonly results: string;
  readonly resultsFormat: ResultsFormat;
  /** The file that may be replaced; any other one stays. */
  readonly replaced: FileIdentity | undefined;
  readonly mustResume: boolean;
};

/** What is run: rows of a file, or what another command makes of one. */
export type RunInput = {
  /** The file that is read, as errors of the input name it. */
  readonly file: string;
  /** What a run that is resumed must have in common with this one, beside server and caller. */
  readonly identity: Readonly<Record<string, string>>;
  readonly isDryRun: boolean;
  readonly maxErrors: number;
  /** What a run says that did nothing, since all was done before. */
  readonly onlyReplayed: string;
  /** Opens the rows, from the first on, where an earlier run ended at `resumed`. */
  open(resumed: Progress | undefined): OpenRows;
  /** Keys of rows that are paid, to be made durable before their results count. */
  readonly addPaid?: (keys: readonly string[]) => Promise<void>;
  /** After the last result is on the disk. */
  readonly onEnd?: (end: RunEnd) => Promise<void>;
};

export type OpenRows = {
  /** May throw InputError. */
  readonly source: AsyncGenerator<Outcome<Chunk>, void>;
  /** The part of the input that so many rows are, 0 to 1; undefined where its size is not known. */
  partOf(rows: number): number | undefined;
};

/** Runs rows into a file of results, under a lock, and says how it ended. */
export async function runInto(
  context: Context,
  self: Actor,
  target: RunTarget,
  input: RunInput,
): Promise<CommandOutcome> {
  // Through whatever links: one file of results has one lock.
  const results = resolve(target.results);
  const folder = await realpath(dirname(results)).catch(() => dirname(results));
  const path = join(folder, basename(results));
  const name = createHash('sha256').update(path).digest('hex').slice(0, 32);
  const lockDir = join(context.environment.paths.stateDir, 'locks');
  return withLock(lockDir, `batch-${name}`, 0, (lock) =>
    runLocked(context, self, { ...target, lock }, input),
  );
}

async function runLocked(
  context: Context,
  self: Actor,
  target: RunTarget & { readonly lock: FileLock },
  input: RunInput,
): Promise<CommandOutcome> {
  const { clock, settings } = context;
  const { results, resultsFormat } = target;
  const { isDryRun, maxErrors, onlyReplayed } = input;
  const opened = await openJournal({
    path: results,
    run: {
      server: settings.server.text,
      caller: self.id,
      ...input.identity,
      dryRun: String(isDryRun),
    },
    head: formatHead(resultsFormat),
    mustResume: target.mustResume,
    replaced: target.replaced,
    lock: target.lock,
    addPaid: input.addPaid,
  });
  if (!opened.ok) return opened;
  const journal = opened.value;
  const { resumed } = journal;
  if (resumed && isDryRun) {
    await journal.close();
    return failUsage('dry-run', `${results} has an unfinished dry run: remove its journal`);
  }
  if (resumed) await context.reporter.note(describeResume(resumed));
  const { source, partOf } = input.open(resumed);
  const progress = createProgressLine({
    stderr: context.io.stderr,
    manner: context.manner,
    now: clock.now,
    partOf,
  });
  try {
    const options = { source, journal, progress, resultsFormat, isDryRun, maxErrors };
    const end = await runChunks(context, options);
    await progress.clear();
    const outcome = await conclude(context, { results, isDryRun, onlyReplayed }, journal, end);
    await input.onEnd?.(end);
    return outcome;
  } catch (error) {
    await progress.clear();
    await journal.close().catch(() => undefined);
    if (error instanceof InputError) return failInput(input.file, error);
    if (error instanceof LockLostError) {
      const message =
        'this process was stopped for over a minute, and another one has taken the run over: ' +
        'this one sends and writes nothing more';
      return fail('LOCK_LOST', message, {
        hint: 'wait for the other process; its results are those of the run',
      });
    }
    if (error instanceof ResultsError) {
      return fail('OUTPUT_FAILED', `cannot write ${results}: ${error.message}`, {
        hint: 'fix the cause and run the same command again to continue; no row is run twice',
      });
    }
    throw error;
  }
}

/** What is wrong with the input as a whole. */
export const failInput = (file: string, { message, hint }: InputError): Failed =>
  failUsage('file', `${file === '-' ? 'standard input' : file}: ${message}`, hint);

function describeResume({ row, deferred }: Progress): string {
  const left = deferred.size > 0 ? `with ${deferred.size} deferred rows and ` : '';
  return `resuming ${left}after row ${row}, where an earlier run stopped`;
}
