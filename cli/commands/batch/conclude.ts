import type { Context } from '../../context.ts';
import { exitCodes, fail, succeed, type CliFailure, type CommandOutcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import { toOpenFailure } from '../../rpc/in-doubt.ts';
import type { Journal } from './results/journal.ts';
import { failedOf, totalOf } from './results/run-files.ts';
import type { RunEnd } from './run-rows.ts';
import {
  columnsOf,
  describeFailed,
  resultsFileOf,
  toSummaryJson,
  type Summary,
} from './summary.ts';

/** Says how it ended: the sums on stdout, the rest as an exit code. */
export async function conclude(
  context: Context,
  run: Pick<Summary, 'isDryRun' | 'results'> & { readonly onlyReplayed: string },
  journal: Journal,
  end: RunEnd,
): Promise<CommandOutcome> {
  const { counts } = end;
  const failed = failedOf(counts);
  const isPublished = end.kind === 'finished' || end.kind === 'past-dry-run-limit';
  await (isPublished ? journal.finish() : journal.close());
  const isComplete = end.kind === 'finished';
  const { waiting, totals } = end;
  const summary: Summary = { ...counts, ...run, waiting, totals, isComplete, isPublished };
  await printObject(context, summary, columnsOf(context, summary), toSummaryJson);
  if (failed > 0) {
    await context.reporter.warnAlways(
      `${failed === 1 ? '1 row' : `${failed} rows`} failed (${describeFailed(counts)}): see the column message in ` +
        resultsFileOf(summary),
    );
  }
  const { unknown } = counts;
  if (end.kind === 'failed') {
    const failure = totalOf(counts) > 0 ? withoutNothingSent(end.failure) : end.failure;
    return { ok: false, failure: unknown > 0 ? toOpenFailure(failure) : failure };
  }
  if (end.kind === 'interrupted') {
    const state =
      unknown > 0
        ? `the outcome of ${unknown} rows is unknown`
        : end.isInDoubt
          ? 'some rows that were sent, now or by an earlier run, have no result yet'
          : 'every row that was sent has its result';
    return fail('INTERRUPTED', `interrupted; ${state}`, {
      hint: 'run the same command again to continue',
    });
  }
  if (end.kind === 'too-many-errors') {
    await context.reporter.warnAlways(
      'stopped by --max-errors, which counts the rows that failed in this run; the same command ' +
        'continues after the last row',
    );
    if (unknown === 0) {
      return succeed(end.isInDoubt ? exitCodes.outcomeUnknown : exitCodes.rowsFailed);
    }
  }
  if (end.kind === 'past-dry-run-limit') {
    await context.reporter.warnAlways(
      `checked up to row ${totalOf(counts)}: a dry run has room for no more rows, and the others are ` +
        'not checked; to check them too, run the batch in several files, one after the other',
    );
    return succeed(exitCodes.rowsFailed);
  }
  if (unknown > 0) {
    await context.reporter.warnAlways(
      `the outcome of ${unknown} rows is unknown: run the same command again; no row is run twice`,
    );
    return succeed(exitCodes.outcomeUnknown);
  }
  if (counts.replayed > 0 && counts.done + failed === 0) {
    await context.reporter.warnAlways(`no new transactions: ${run.onlyReplayed}`);
  }
  return succeed(failed > 0 ? exitCodes.rowsFailed : exitCodes.done);
}

/** Rows before the failure were sent. */
const withoutNothingSent = (failure: CliFailure): CliFailure => ({
  ...failure,
  message: failure.message.replace(/; nothing was sent\b/, ''),
});
