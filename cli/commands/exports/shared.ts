import { isUuid } from '../../../core/ids.ts';
import { quoteForShell } from '../../../core/shell-word.ts';
import {
  ExportStatus,
  StatementServiceService,
  type Export,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import {
  exitCodes,
  fail,
  succeed,
  type CliFailure,
  type Failed,
  type Outcome,
} from '../../outcome.ts';
import { createProgress, formatProgress } from '../shared/progress.ts';

/** The id in the examples of the help. */
export const exampleId = '7b0c1f52-6a0e-5a59-9d5c-2f6f1f0c9a11';

/** One export as it is now. */
export async function getExport(context: Context, exportId: string): Promise<Outcome<Export>> {
  const method = StatementServiceService.getExport;
  const got = await context.caller.call(method, { exportId }, 'read');
  if (!got.ok) return got;
  const { export: made } = got.value;
  return made ? checkExport(made) : fail('UNEXPECTED', 'the server answered without an export');
}

/** Its id becomes part of commands that are shown, and of names of files. */
export const checkExport = (made: Export): Outcome<Export> =>
  isUuid(made.id)
    ? succeed(made)
    : fail('UNEXPECTED', 'the server answered with an export whose id is not a UUID');

const minPollMs = 50;
const maxPollMs = 3_000;
/**
 * A tenth of the time that it took so far, or half of what it will still take: so the wait is at
 * most a tenth longer, and ends soon after the last row.
 */
function pauseAfter(waitedMs: number, made: Export | undefined): number {
  const { rows = 0n, rowsDone = 0n } = made ?? {};
  const leftMs = rowsDone > 0n ? (waitedMs * Number(rows - rowsDone)) / Number(rowsDone) : Infinity;
  return Math.min(Math.max(Math.min(waitedMs / 10, leftMs / 2), minPollMs), maxPollMs);
}

/**
 * Asks with growing pauses until the export is written, however long that takes; it fails where it
 * never will be. The reason that blocks it is printed once, in a pipe too. A server that becomes
 * unavailable meanwhile is asked again for the time of `--timeout`.
 */
export async function waitForExport(context: Context, exportId: string): Promise<Outcome<Export>> {
  const { clock, settings, interrupts } = context;
  const progress = createProgress(context);
  const withdraw = interrupts.add(() => {
    void progress.clear();
    void context.reporter.error(failInterrupted(exportId).failure);
  });
  let toldFailure = '';
  const tellFailure = async ({ status, failure }: Export): Promise<void> => {
    if (status !== ExportStatus.QUEUED || failure === '' || failure === toldFailure) return;
    toldFailure = failure;
    await progress.clear();
    await context.reporter.note(`not written yet: ${failure}; the server retries`);
  };
  const startedAtMs = clock.elapsed();
  let answeredAtMs: number | undefined;
  try {
    for (;;) {
      const got = await getExport(context, exportId);
      if (got.ok) {
        const { status, rows, rowsDone } = got.value;
        answeredAtMs = clock.elapsed();
        if (isOver(status)) return checkDone(got.value);
        await tellFailure(got.value);
        const what = status === ExportStatus.QUEUED ? 'queued' : 'being written';
        const part = rows > 0n ? `  ${formatProgress(rowsDone, rows, 'rows')}` : '';
        await progress.show(what + part);
      } else {
        const isAway = got.failure.exitCode === exitCodes.unavailable;
        const isGivenUp = clock.elapsed() - (answeredAtMs ?? -Infinity) > settings.timeoutMs;
        if (!isAway || isGivenUp)
          return addHint(got.failure, `wallet exports wait ${quoteForShell(exportId)}`);
        await progress.show('the server is unavailable; retrying');
      }
      const waitedMs = clock.elapsed() - startedAtMs;
      await clock.sleep(pauseAfter(waitedMs, got.ok ? got.value : undefined));
    }
  } finally {
    withdraw();
    await progress.clear();
  }
}

const isOver = (status: ExportStatus): boolean =>
  status !== ExportStatus.QUEUED && status !== ExportStatus.RUNNING;

/** A file that can be downloaded, or why there is none. */
export function checkDone(made: Export): Outcome<Export> {
  const { id, status, failure } = made;
  if (status === ExportStatus.DONE && made.bytes !== undefined && made.sha256 !== undefined) {
    return succeed(made);
  }
  const again = 'request it again: wallet statement export';
  if (status === ExportStatus.FAILED) {
    const why = failure === '' ? 'unknown reason' : failure;
    return refuseExport('EXPORT_NOT_READY', `export ${id} has failed: ${why}`, again);
  }
  if (status === ExportStatus.INCONSISTENT) {
    const message = `export ${id} is inconsistent, there is no file: ${failure}`;
    const exitCode = exitCodes.statementNotComplete;
    return { ok: false, failure: { reason: 'EXPORT_NOT_READY', message, hint: again, exitCode } };
  }
  if (status === ExportStatus.EXPIRED) {
    const message = `the file of export ${id} has expired and was deleted`;
    return refuseExport('EXPORT_EXPIRED', message, again);
  }
  if (!isOver(status) && status !== ExportStatus.UNSPECIFIED) {
    const message = `export ${id} is not written yet`;
    return refuseExport('EXPORT_NOT_READY', message, `wallet exports download ${id} --wait`);
  }
  return fail('UNEXPECTED', `the server answered with an export that this version does not know`);
}

function refuseExport(
  reason: 'EXPORT_NOT_READY' | 'EXPORT_EXPIRED',
  message: string,
  hint: string,
): Failed {
  return { ok: false, failure: { reason, message, hint, exitCode: exitCodes.refused } };
}

/** Ctrl-C while an export is waited for or downloaded: nothing is lost. */
export const failInterrupted = (exportId: string): Failed =>
  fail('INTERRUPTED', `interrupted; the server keeps export ${exportId}`, {
    hint: `to continue: wallet exports download ${quoteForShell(exportId)} --wait`,
  });

/** What to do next, where the failure itself says no better. */
export const addHint = (failure: CliFailure, hint: string): Failed => ({
  ok: false,
  failure: failure.exitCode === exitCodes.unavailable ? { ...failure, hint } : failure,
});
