import type { Column } from '../../output/print.ts';
import { totalOf, type Counts } from './results/run-files.ts';

/** What became of all rows of a batch, as it is printed at the end of a run. */
export type Summary = Counts & {
  /** Rows without a result: their wallets are locked. */
  readonly waiting: number;
  readonly isComplete: boolean;
  readonly isDryRun: boolean;
  /** The name that the results have at the end. */
  readonly results: string;
};

const fileOf = ({ results, isComplete }: Summary): string =>
  results + (isComplete ? '' : '.partial');

export const toSummaryJson = (summary: Summary): object => ({
  rows: totalOf(summary),
  done: summary.done,
  replayed: summary.replayed,
  rejected: summary.rejected,
  unknown: summary.unknown,
  invalid: summary.invalid,
  ...(summary.waiting > 0 ? { waiting: summary.waiting } : {}),
  complete: summary.isComplete,
  results: fileOf(summary),
  ...(summary.isDryRun ? { dryRun: true } : {}),
});

const plain = (
  header: string,
  value: (summary: Summary) => string,
  cell: (summary: Summary) => string | undefined = value,
): Column<Summary> => ({ header, value, table: { title: header, cell } });

export const summaryColumns: readonly Column<Summary>[] = [
  plain('rows', (summary) => String(totalOf(summary))),
  plain('done', ({ done, isDryRun }) => `${done}${isDryRun ? ' (dry run: nothing changed)' : ''}`),
  plain('replayed', ({ replayed }) => String(replayed)),
  plain('rejected', ({ rejected }) => String(rejected)),
  plain('unknown', ({ unknown }) => String(unknown)),
  plain('invalid', ({ invalid }) => String(invalid)),
  plain(
    'waiting',
    ({ waiting }) => String(waiting),
    ({ waiting }) => (waiting > 0 ? `${waiting} (their wallets are locked)` : undefined),
  ),
  plain('results', fileOf),
];
