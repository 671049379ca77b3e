import type { Context } from '../context.ts';
import type { CliFailure, Outcome } from '../failures.ts';
import type { Journal } from './journal.ts';
import type { PreparedChunk } from './prepare.ts';
import type { ProgressLine } from './progress.ts';
import { formatResults, toResults, type ResultsFormat } from './results.ts';
import { failedOf, noCounts, type Counts } from './run-files.ts';
import { sendChunks, type Chunk } from './send.ts';

/** How a run ended, with what became of all its rows, earlier runs of the batch included. */
export type RunEnd = { readonly counts: Counts } & (
  | { readonly kind: 'finished' | 'interrupted' | 'too-many-errors' }
  | { readonly kind: 'failed'; readonly failure: CliFailure }
);

export type RunOptions = {
  readonly source: AsyncGenerator<Outcome<PreparedChunk>, void>;
  readonly journal: Journal;
  readonly progress: ProgressLine;
  readonly resultsFormat: ResultsFormat;
  readonly isDryRun: boolean;
  readonly maxErrors: number;
};

/** Sends all rows and writes all results; what is told to stop ends with nothing unanswered. */
export async function runChunks(context: Context, options: RunOptions): Promise<RunEnd> {
  const { source, journal, progress, resultsFormat, isDryRun } = options;
  let counts: Counts = journal.resumed?.counts ?? noCounts;
  let stop: 'interrupted' | 'too-many-errors' | undefined;
  let failure: CliFailure | undefined;
  const digests = new WeakMap<Chunk, string>();
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
      if (!next.value.ok) {
        ({ failure } = next.value);
        return undefined;
      }
      digests.set(next.value.value, next.value.value.digest);
      return next.value.value;
    },
    onSend: (chunk) => journal.noteSent(lastRow(chunk)),
    onResults: async (chunk, answers) => {
      const results = toResults(chunk, answers, { startedAtMs: journal.startedAtMs, isDryRun });
      counts = add(
        counts,
        results.map(({ status }) => status),
      );
      const digest = digests.get(chunk) ?? '';
      const text = formatResults(resultsFormat, results);
      await journal.append(text, { row: lastRow(chunk), digest, counts });
      if (failedOf(counts) >= options.maxErrors) stop ??= 'too-many-errors';
      await progress.update(counts);
    },
    onRetry: async (why) => {
      await progress.clear();
      await context.tell.warn(`${why}; trying again, and no row is done twice`);
    },
  });
  giveBack();
  if (!sent.ok) return { kind: 'failed', failure: sent.failure, counts };
  if (failure) return { kind: 'failed', failure, counts };
  return { kind: stop ?? 'finished', counts };
}

const lastRow = ({ rows }: Chunk): number => rows.at(-1)?.row ?? 0;

function add(counts: Counts, statuses: readonly (keyof Counts)[]): Counts {
  const sum = { ...counts };
  for (const status of statuses) sum[status] += 1;
  return sum;
}
