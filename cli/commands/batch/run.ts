import type { Command } from 'commander';
import { stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

import { openJournal, type Journal } from './results/journal.ts';
import { prepareChunks } from './prepare.ts';
import { createProgressLine } from './progress.ts';
import { formatHead } from './results/results.ts';
import { InputError, openInput, readRows } from './rows/rows.ts';
import { checkBatch, type Batch, type BatchRunOptions } from './check-options.ts';
import { runChunks, type RunEnd } from './run-rows.ts';
import { failedOf, ResultsError, type Progress } from './results/run-files.ts';
import { summaryColumns, toSummaryJson, type Summary } from './summary.ts';
import { checkResultsTarget } from './results/target.ts';
import { askYes, checkConfirmable } from '../shared/confirm.ts';
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
import { formatCard } from '../../output/card.ts';
import { identifyActor, resolveUser, type Actor } from '../users/actor.ts';
import type { Start } from '../shared/start.ts';

const help = `
Columns: operation, amount, currency, user, parent_id, description, merchant, key. The first line of
a CSV file names its columns; an NDJSON file has one object per line.

The key of a row is its column key. Without one, it is made from --batch-id, the content of the row,
and how many equal rows came before it. So the same file can be run again, corrected or after a
failure, and only new rows are run. To run an equal file as a new batch (next month's, for example),
use another batch id.

Results, one row each: row, status (done, replayed, rejected, unknown, invalid), transaction_id,
user_id, balance, reason, field. Rows count from 1, without the header. Ctrl-C waits for the rows
that were sent; the same command resumes after them.

Results of an earlier run are replaced after confirmation, or with --yes. Any other existing file is
kept unless --overwrite is given. Links, and files that other users own or can change, are refused.

Exit code 3: some rows failed, the others are done.

Examples:
  wallet batch run payroll.csv --batch-id payroll-2026-11 --dry-run
  wallet batch run payroll.csv --batch-id payroll-2026-11 --yes
  generate-rows | wallet batch run - --input-format ndjson --results out.csv --batch-id job-7 -y`;

/** Adds `wallet batch run`. */
export function addBatchRun(batch: Command, start: Start): void {
  batch
    .command('run')
    .description('run every row of a CSV or NDJSON file exactly once')
    .argument('<FILE>', 'the file, or - for standard input')
    .option('--input-format <FORMAT>', 'csv or ndjson (default: by the ending of the name)')
    .option('--batch-id <NAME>', 'name of the batch; rows without a key get one made from it')
    .option('--user <USER>', 'e-mail or id of the user, for rows without one')
    .option('--currency <CODE>', 'for rows without one (default WALLET_CURRENCY, the profile, BRL)')
    .option('--results <FILE>', 'file for the result of each row (default FILE.results.csv)')
    .option('--overwrite', 'replace any file that has the name of the results')
    .option('--resume', 'only resume an unfinished run')
    .option('--dry-run', 'let the server check the rows, and change nothing')
    .option('--max-errors <N>', 'stop after this many failed rows')
    .addHelpText('after', help)
    .action(async (file: string, options: BatchRunOptions, command: Command) => {
      await start(command, (context) => runBatchRun(context, file, options));
    });
}

/** `wallet batch run`: many transactions from a file, each once, however often it is run. */
async function runBatchRun(
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
    return failUsage('dry-run', `${batch.results} has an unfinished dry run: remove its journal`);
  }
  if (resumed) {
    await context.reporter.note(describeResume(resumed));
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
        hint: 'fix the cause and run the same command again to continue; no row is run twice',
      });
    }
    throw error;
  }
}

function describeResume({ row, deferred }: Progress): string {
  const left = deferred.size > 0 ? `with ${deferred.size} deferred rows and ` : '';
  return `resuming ${left}after row ${row}, where an earlier run stopped`;
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
    return fail('INTERRUPTED', 'interrupted; every row that was sent has its result', {
      hint: 'run the same command again to continue',
    });
  }
  if (end.kind === 'too-many-errors') {
    await context.reporter.warnAlways(
      `stopped after ${failed} failed rows; the same command continues after the last row`,
    );
    return succeed(exitCodes.rowsFailed);
  }
  if (counts.unknown > 0) {
    await context.reporter.warnAlways(
      `the outcome of ${counts.unknown} rows is unknown: run the same command again; no row is run twice`,
    );
    return succeed(exitCodes.outcomeUnknown);
  }
  if (counts.replayed > 0 && counts.done + failed === 0) {
    await context.reporter.warnAlways(
      'no new transactions: every row was done before under the same key; ' +
        'to run an equal batch as a new one, use another --batch-id',
    );
  }
  return succeed(failed > 0 ? exitCodes.rowsFailed : exitCodes.done);
}
