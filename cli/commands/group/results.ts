import type { OutputFormat } from '../../config/settings.ts';
import type { Context } from '../../context.ts';
import type { Outcome } from '../../outcome.ts';
import { chooseColumns, type View, type ViewOptions } from '../../output/choose-columns.ts';
import { numberColumn, textColumn } from '../../output/columns.ts';
import { createListPrinter } from '../../output/list-printer.ts';
import type { Column } from '../../output/print.ts';
import type { RowResult } from '../batch/results/results.ts';
import type { NamedGroup } from './read-group.ts';

/** What became of a row, and the group that it is of. */
export type GroupResult = RowResult & { readonly groupId: string };

const columns: readonly Column<GroupResult>[] = [
  numberColumn('row', 'ROW', ({ row }) => String(row), { isKey: true }),
  textColumn('status', 'STATUS', ({ status }) => status, { isKey: true }),
  textColumn('operation', 'OPERATION', ({ operation }) => operation),
  numberColumn('amount', 'AMOUNT', ({ amount }) => amount, { priority: 6 }),
  textColumn('currency', 'CURRENCY', ({ currency }) => currency, { priority: 5 }),
  textColumn('user', 'USER', ({ user, userId }) => user ?? userId, { priority: 3 }),
  {
    header: 'transaction_id',
    value: ({ transactionId }) => transactionId,
    table: { title: 'ID', isId: true, priority: 2, cell: ({ transactionId }) => transactionId },
  },
  { header: 'user_id', value: ({ userId }) => userId },
  { header: 'group_id', value: ({ groupId }) => groupId },
  numberColumn('balance', 'BALANCE', ({ balance }) => balance, { priority: 4 }),
  textColumn('reason', 'REASON', ({ reason }) => reason, { isHiddenIfEmpty: true }),
  { header: 'field', value: ({ field }) => field },
  textColumn('message', 'MESSAGE', ({ message }) => message, {
    ...{ isFlexible: true, isHiddenIfEmpty: true },
  }),
];

/** The columns that the options choose. */
export const chooseResultColumns = (
  options: ViewOptions,
  output: OutputFormat | 'hledger',
): Outcome<View<GroupResult>> => chooseColumns(columns, options, output);

/** Prints what became of each row of a group, and in JSON the group's id and outcome beside them. */
export async function printResults(
  context: Context,
  { id, isDryRun }: NamedGroup,
  results: readonly RowResult[],
  view: View<GroupResult>,
): Promise<void> {
  const list = createListPrinter(context, view, toResultJson);
  await list.add(results.map((result) => ({ ...result, groupId: id })));
  const status = statusOf(results);
  await list.end(undefined, '', { groupId: id, status, ...(isDryRun ? { dryRun: true } : {}) });
}

/** All rows are done, were done before, or none is; else it is not known. */
function statusOf(results: readonly RowResult[]): RowResult['status'] {
  const every = (wanted: RowResult['status']): boolean =>
    results.every(({ status }) => status === wanted);
  if (every('done') || every('replayed')) return results[0]?.status ?? 'rejected';
  return results.some(({ status }) => status === 'unknown') ? 'unknown' : 'rejected';
}

const toResultJson = (result: RowResult): object => ({
  row: result.row,
  status: result.status,
  operation: result.operation,
  amount: result.amount,
  currency: result.currency,
  user: result.user,
  userId: result.userId,
  transactionId: result.transactionId,
  balance: result.balance,
  reason: result.reason,
  field: result.field,
  message: result.message,
});
