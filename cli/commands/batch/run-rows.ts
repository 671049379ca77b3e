import type { Context } from '../../context.ts';
import type { CliFailure, Outcome } from '../../outcome.ts';
import type { Journal } from './results/journal.ts';
import type { ProgressLine } from './progress.ts';
import { formatResults, toResults, type ResultsFormat, type RowResult } from './results/results.ts';
import { failedOf, noCounts, type Counts } from './results/run-files.ts';
import { isPastDryRun, type AnsweredRow } from './send/answers.ts';
import { isItemRow, type Chunk, type ItemRow } from './rows/chunk.ts';
import { sendChunks } from './send/send.ts';
import { createTotals, type Total, type Totals } from './totals.ts';

/** How a run ended, with what became of all its rows, earlier runs of the batch included. */
export type RunEnd = {
  readonly counts: Counts;
  /** Rows that are deferred: their wallets are locked. */
  readonly waiting: number;
  readonly totals: readonly Total[];
  /** An earlier run sent rows that this one did not come to, or some are deferred. */
  readonly isInDoubt: boolean;
} & (
  | { readonly kind: 'finished' | 'interrupted' | 'too-many-errors' | 'past-dry-run-limit' }
  | { readonly kind: 'failed'; readonly failure: CliFailure }
);

export type RunOptions = {
  readonly source: AsyncGenerator<Outcome<Chunk>, void>;
  readonly journal: Journal;
  readonly progress: ProgressLine;
  readonly resultsFormat: ResultsFormat;
  readonly isDryRun: boolean;
  readonly maxErrors: number;
};

/** Sends all rows and writes all results. A stop ends it once every sent row has its answer. */
export async function runChunks(context: Context, options: RunOptions): Promise<RunEnd> {
  const { source, journal, progress, resultsFormat, isDryRun } = options;
  let counts: Counts = journal.resumed?.counts ?? noCounts;
  const failedBefore = failedOf(counts);
  let stop: 'interrupted' | 'too-many-errors' | 'past-dry-run-limit' | undefined;
  let failure: CliFailure | undefined;
  let place: Place = journal.resumed ?? { row: 0, digest: '' };
  const deferred = new Set(journal.resumed?.deferred);
  const totals = createTotals();
  journal.resumed?.totals.forEach(totals.add);
  const warnBusy = createBusyWarning(context, progress);
  const take = async (
    answered: readonly AnsweredRow[],
    moved: { readonly deferred?: readonly number[]; readonly back?: readonly number[] },
  ): Promise<void> => {
    const decided = isDryRun ? takeDecided(answered) : answered;
    if (stop === 'past-dry-run-limit') return;
    if (decided.length < answered.length) stop = 'past-dry-run-limit';
    const results = toResults(decided, { isDryRun });
    counts = add(counts, results);
    for (const row of moved.deferred ?? []) deferred.add(row);
    for (const row of moved.back ?? []) deferred.delete(row);
    const { row, digest } = place;
    const added = totalsOf(results);
    added.forEach(totals.add);
    // Handed over at once: an earlier line never reports what happened later.
    const text = formatResults(resultsFormat, results);
    const line = { row, digest, counts, totals: added, ...moved };
    const written = journal.append(text, line, isDryRun ? [] : findPaidKeys(decided, results));
    if (failedOf(counts) - failedBefore >= options.maxErrors) stop ??= 'too-many-errors';
    await written;
    await progress.update(counts, deferred.size);
  };
  const giveBack = context.interrupts.takeOver(() => {
    stop = 'interrupted';
  });
  const sent = await sendChunks({
    caller: context.caller,
    clock: context.clock,
    isDryRun,
    timeoutMs: context.settings.timeoutMs,
    next: async () => {
      if (stop) return undefined;
      const next = await source.next();
      if (next.done) return undefined;
      if (next.value.ok) return next.value.value;
      ({ failure } = next.value);
      return undefined;
    },
    isStopped: () => stop !== undefined,
    onSend: journal.noteSent,
    position: journal.position,
    onPosition: journal.notePosition,
    onResults: (chunk, answered, waiting) => {
      place = { row: lastRow(chunk), digest: chunk.digest };
      return take(answered, { deferred: waiting.map(({ row }) => row) });
    },
    onLateResults: (answered) => take(answered, { back: answered.map(({ row }) => row.row) }),
    onBusy: warnBusy,
    onRetry: createRetryWarning(context, progress),
  });
  giveBack();
  const isAtEnd = sent.ok && !failure && stop === undefined;
  const isInDoubt = deferred.size > 0 || (!isAtEnd && wasSentPast(journal, place.row));
  const end = { counts, waiting: deferred.size, totals: totals.list(), isInDoubt };
  if (!sent.ok) return { kind: 'failed', failure: sent.failure, ...end };
  if (failure) return { kind: 'failed', failure, ...end };
  return { kind: stop ?? 'finished', ...end };
}

/** True if an earlier run sent rows behind this one: of those no result is known. */
const wasSentPast = ({ resumed }: Journal, row: number): boolean => (resumed?.sentRow ?? 0) > row;

/** The rows up to the first that the server's dry run had no room for: it decided no other. */
function takeDecided(answered: readonly AnsweredRow[]): readonly AnsweredRow[] {
  const first = answered.findIndex(({ answer }) => isPastDryRun(answer));
  return first < 0 ? answered : answered.slice(0, first);
}

function totalsOf(results: readonly RowResult[]): readonly Total[] {
  const totals = createTotals();
  for (const result of results) addResult(totals, result);
  return totals.list();
}

/** What cannot be read has no total. */
function addResult(totals: Totals, { status, operation, amount, currency }: RowResult): void {
  if (status === 'invalid') return;
  const isKnown = amount !== undefined && currency !== undefined;
  const sum = isKnown
    ? { currency, amountMinor: BigInt(amount.replace('.', '')) }
    : { currency: '', amountMinor: 0n };
  totals.add({ status, operation, rows: 1, ...sum });
}

function findPaidKeys(answered: readonly AnsweredRow[], results: readonly RowResult[]): string[] {
  return answered.flatMap(({ row }, i) => {
    const isPaid = results[i]?.status === 'done' || results[i]?.status === 'replayed';
    return isPaid && isItemRow(row) ? [row.item.idempotencyKey] : [];
  });
}

type Place = { readonly row: number; readonly digest: string };

const createRetryWarning =
  (context: Context, progress: ProgressLine) =>
  async (why: string): Promise<void> => {
    await progress.clear();
    await context.reporter.warn(`${why}; retrying; no row is run twice`);
  };

/** Says which wallets are locked, each once, and of a few only. */
function createBusyWarning(context: Context, progress: ProgressLine) {
  const reported = new Set<string>();
  return async ({ row, userId }: ItemRow): Promise<void> => {
    if (reported.has(userId) || reported.size >= maxReportedBusy) return;
    reported.add(userId);
    await progress.clear();
    await context.reporter.warn(
      `row ${row}: the wallet of user ${userId} is locked by another transaction; its rows wait ` +
        'and are tried again, all others go on',
    );
  };
}

const maxReportedBusy = 5;

const lastRow = ({ rows }: Chunk): number => rows.at(-1)?.row ?? 0;

function add(counts: Counts, results: readonly RowResult[]): Counts {
  const sum = { ...counts };
  for (const { status } of results) sum[status] += 1;
  return sum;
}
