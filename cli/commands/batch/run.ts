import { stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

import { findTextProblem, textLimits } from '../../../core/text.ts';
import { findReadProblem, openJournal, type Journal } from './results/journal.ts';
import { prepareChunks } from './prepare.ts';
import { createProgressLine } from './progress.ts';
import { formatHead, type ResultsFormat } from './results/results.ts';
import { InputError, openInput, readRows, type InputFormat } from './rows/rows.ts';
import { runChunks, type RunEnd } from './run-rows.ts';
import { failedOf, ResultsError, type Progress } from './results/run-files.ts';
import { summaryColumns, toSummaryJson, type Summary } from './summary.ts';
import { checkResultsTarget } from './results/target.ts';
import { askYes, checkConfirmable } from '../../terminal/confirm.ts';
import { isStaff } from '../money/confirm.ts';
import type { Context } from '../../context.ts';
import {
  exitCodes,
  fail,
  failUsage,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import type { FileIdentity } from '../../files/files.ts';
import { withLock } from '../../files/lock.ts';
import { printObject } from '../../output/print.ts';
import { formatCard } from '../../output/table.ts';
import { identifyActor, resolveUser, type Actor } from '../users/actor.ts';

export type BatchRunOptions = {
  readonly inputFormat?: string;
  readonly batchId?: string;
  readonly user?: string;
  readonly currency?: string;
  readonly results?: string;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly dryRun?: boolean;
  readonly maxErrors?: string;
};

/** A batch as it was asked for, checked. */
type Batch = {
  readonly file: string;
  readonly format: InputFormat;
  readonly batchId: string | undefined;
  readonly user: string | undefined;
  readonly currency: string;
  readonly results: string;
  readonly resultsFormat: ResultsFormat;
  readonly mustResume: boolean;
  readonly isDryRun: boolean;
  readonly maxErrors: number;
};

/** `wallet batch run`: many transactions from a file, each once, however often it is run. */
export async function runBatchRun(
  context: Context,
  file: string,
  options: BatchRunOptions,
): Promise<CommandOutcome> {
  const checked = await checkBatch(context, file, options);
  if (!checked.ok) return checked;
  const batch = checked.value;
  const confirmable = batch.isDryRun
    ? succeed(undefined)
    : checkConfirmable(context, 'running a batch');
  if (!confirmable.ok) return confirmable;
  const target = await checkResultsTarget(context, {
    path: batch.results,
    mayOverwrite: options.overwrite === true,
    isKnownToBeOurs: batch.isDryRun && options.results === undefined,
  });
  if (!target.ok) return target;
  const self = await identifyActor(context);
  if (!self.ok) return self;
  if (!self.value) return fail('UNEXPECTED', 'the server answered without a user');
  const user = await resolveUser(context, batch.user, true);
  if (!user.ok) return user;
  const confirmed = await confirmBatch(context, batch, self.value);
  if (!confirmed.ok) return confirmed;
  const lockName = createHash('sha256').update(resolve(batch.results)).digest('hex').slice(0, 32);
  const lockDir = join(context.environment.paths.stateDir, 'locks');
  return withLock(lockDir, `batch-${lockName}`, 0, () =>
    runInto(context, { ...batch, user: user.value?.id }, self.value as Actor, target.value),
  );
}

async function checkBatch(
  context: Context,
  file: string,
  options: BatchRunOptions,
): Promise<Outcome<Batch>> {
  const { inputFormat, batchId, results } = options;
  if (inputFormat !== undefined && inputFormat !== 'csv' && inputFormat !== 'ndjson') {
    return failUsage('input-format', `${JSON.stringify(inputFormat)} is neither csv nor ndjson`);
  }
  const problem =
    batchId === undefined ? undefined : findTextProblem(batchId, textLimits.idempotencyKey);
  if (problem !== undefined || batchId === '') {
    return failUsage('batch-id', problem ?? 'must not be empty');
  }
  const maxErrors = options.maxErrors === undefined ? Infinity : Number(options.maxErrors);
  if (options.maxErrors !== undefined && !/^[1-9]\d{0,8}$/.test(options.maxErrors)) {
    return failUsage('max-errors', 'must be a number above 0');
  }
  if (file === '-' && results === undefined) {
    return failUsage('results', 'is missing: standard input has no name to put results beside');
  }
  if (file !== '-') {
    const unreadable = await findReadProblem(file);
    if (unreadable !== undefined) return failUsage('file', `cannot read ${file}: ${unreadable}`);
  }
  const isDryRun = options.dryRun === true;
  const fallback = `${file}.${isDryRun ? 'dry-run' : 'results'}.csv`;
  return succeed({
    file,
    format: inputFormat ?? (/\.(ndjson|jsonl)$/i.test(file) ? 'ndjson' : 'csv'),
    batchId,
    user: options.user,
    currency: options.currency ?? context.settings.currency,
    results: results ?? fallback,
    resultsFormat: /\.(ndjson|jsonl)$/i.test(results ?? '') ? 'ndjson' : 'csv',
    mustResume: options.resume === true,
    isDryRun,
    maxErrors,
  });
}

async function confirmBatch(
  context: Context,
  batch: Batch,
  self: Actor,
): Promise<Outcome<undefined>> {
  if (batch.isDryRun || context.isConfirmed) return succeed(undefined);
  const card = formatCard(
    { io: { ...context.io, stdout: context.io.stderr }, manner: context.manner },
    [
      ['server', context.settings.server.text],
      ['as', `${self.email ?? self.id} (${self.role ?? 'unknown role'})`],
      ['file', batch.file],
      ['batch id', batch.batchId],
      ['results', batch.results],
    ],
  );
  await context.io.stderr.write(card);
  return askYes(context, 'Run this batch?');
}

async function runInto(
  context: Context,
  batch: Batch,
  self: Actor,
  replaced: FileIdentity | undefined,
): Promise<CommandOutcome> {
  const { clock, settings } = context;
  const opened = await openJournal({
    path: batch.results,
    run: {
      server: settings.server.text,
      caller: self.id,
      batchId: batch.batchId ?? '',
      user: batch.user ?? '',
      currency: batch.currency,
      format: batch.format,
      dryRun: String(batch.isDryRun),
    },
    head: formatHead(batch.resultsFormat),
    nowMs: clock.now(),
    mustResume: batch.mustResume,
    replaced,
  });
  if (!opened.ok) return opened;
  const journal = opened.value;
  const { resumed } = journal;
  if (resumed && batch.isDryRun) {
    return failUsage('dry-run', `an unfinished dry run is in ${batch.results}: remove its journal`);
  }
  if (resumed) {
    await context.tell.note(describeResume(resumed));
  }
  const reader = readRows(
    batch.file === '-' ? (context.io.stdin as AsyncIterable<Buffer>) : openInput(batch.file),
    batch.format,
  );
  const size = batch.file === '-' ? undefined : (await stat(batch.file)).size;
  const progress = createProgressLine({
    stderr: context.io.stderr,
    manner: context.manner,
    now: clock.now,
    // Rows are read ahead of their results.
    partOf: (rows) =>
      size ? Math.min(1, (reader.bytesRead() / size) * (rows / reader.rowsRead())) : undefined,
  });
  const source = prepareChunks({
    ...{ context, reader, self, resumed, batchId: batch.batchId },
    defaults: {
      currency: batch.currency,
      user: batch.user,
      isStaff: isStaff(self.role),
      isKeyNeeded: batch.batchId === undefined,
    },
  });
  try {
    const end = await runChunks(context, { ...batch, source, journal, progress });
    await progress.clear();
    return await conclude(context, batch, journal, end);
  } catch (error) {
    await progress.clear();
    await journal.close().catch(() => undefined);
    if (error instanceof InputError) return failUsage('file', `${batch.file}: ${error.message}`);
    if (error instanceof ResultsError) {
      return fail('OUTPUT_FAILED', `cannot write ${batch.results}: ${error.message}`, {
        hint: 'remove the cause and run the same command again to go on; no row is done twice',
      });
    }
    throw error;
  }
}

function describeResume({ row, aside }: Progress): string {
  const left = aside.size > 0 ? `with ${aside.size} rows that were set aside, and ` : '';
  return `going on ${left}after row ${row}, where an earlier run stopped`;
}

/** Says how it ended: the sums on stdout, the rest as an exit code. */
async function conclude(
  context: Context,
  batch: Batch,
  journal: Journal,
  end: RunEnd,
): Promise<CommandOutcome> {
  const { counts } = end;
  const failed = failedOf(counts);
  if (end.kind === 'finished') await journal.finish();
  else await journal.close();
  const isComplete = end.kind === 'finished';
  const summary: Summary = { ...counts, ...batch, waiting: end.waiting, isComplete };
  await printObject(context, summary, summaryColumns, toSummaryJson);
  if (end.kind === 'failed') return { ok: false, failure: end.failure };
  if (end.kind === 'interrupted') {
    return fail('INTERRUPTED', 'broken off; whatever was sent is answered and in the results', {
      hint: 'run the same command again to go on',
    });
  }
  if (end.kind === 'too-many-errors') {
    await context.tell.alert(
      `stopped after ${failed} rows that failed; the same command goes on after the last row`,
    );
    return succeed(exitCodes.rowsFailed);
  }
  if (counts.unknown > 0) {
    await context.tell.alert(
      `whether ${counts.unknown} rows were done is not known: run the same command again, which ` +
        'does none twice',
    );
    return succeed(exitCodes.outcomeUnknown);
  }
  if (counts.replayed > 0 && counts.done + failed === 0) {
    await context.tell.alert(
      'nothing new: every row had been done before under the same key; ' +
        'for an equal batch that is meant anew, use another --batch-id',
    );
  }
  return succeed(failed > 0 ? exitCodes.rowsFailed : exitCodes.done);
}
