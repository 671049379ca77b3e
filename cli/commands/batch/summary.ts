import type { Context } from '../../context.ts';
import type { Column } from '../../output/print.ts';
import { totalOf, type Counts } from './results/run-files.ts';
import { describeTotal, toTotalJson, type Total } from './totals.ts';

/** What became of all rows of a batch, as it is printed at the end of a run. */
export type Summary = Counts & {
  /** Rows without a result: their wallets are locked. */
  readonly waiting: number;
  /** By status, operation and currency; without rows that cannot be read. */
  readonly totals: readonly Total[];
  readonly isComplete: boolean;
  /** The results have their name. */
  readonly isPublished: boolean;
  readonly isDryRun: boolean;
  /** The name that the results have at the end. */
  readonly results: string;
};

/** The file that has the results now. */
export const resultsFileOf = ({ results, isPublished }: Summary): string =>
  results + (isPublished ? '' : '.partial');

export const toSummaryJson = (summary: Summary): object => ({
  rows: totalOf(summary),
  done: summary.done,
  replayed: summary.replayed,
  rejected: summary.rejected,
  unknown: summary.unknown,
  invalid: summary.invalid,
  ...(summary.waiting > 0 ? { waiting: summary.waiting } : {}),
  totals: summary.totals.map(toTotalJson),
  complete: summary.isComplete,
  results: resultsFileOf(summary),
  ...(summary.isDryRun ? { dryRun: true } : {}),
});

const plain = (
  header: string,
  value: (summary: Summary) => string,
  cell: (summary: Summary) => string | undefined = value,
): Column<Summary> => ({ header, value, table: { title: header, cell } });

const countColumns: readonly Column<Summary>[] = [
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
];

const describeKind = ({ status, operation }: Total): string => `${status} ${operation}`;

const describeTotals = ({ totals }: Summary): string =>
  totals.map((total) => `${describeKind(total)}: ${describeTotal(total)}`).join('; ');

/** A line for each total in a card, and one column with all of them in CSV. */
export function columnsOf(
  { manner }: Pick<Context, 'manner'>,
  { totals }: Summary,
): readonly Column<Summary>[] {
  const totalColumns =
    manner.output === 'table'
      ? totals.map((total) => plain(describeKind(total), () => describeTotal(total)))
      : [plain('totals', describeTotals)];
  return [...countColumns, ...totalColumns, plain('results', resultsFileOf)];
}

/** `6 rejected, 1 invalid`. */
export function describeFailed(counts: Counts): string {
  const statuses = ['rejected', 'unknown', 'invalid'] as const;
  return statuses
    .filter((status) => counts[status] > 0)
    .map((status) => `${counts[status]} ${status}`)
    .join(', ');
}
