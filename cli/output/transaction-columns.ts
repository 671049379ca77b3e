import { Direction, type Transaction } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Column } from './print.ts';
import { groupThousands } from './amount.ts';
import { textColumn, timeColumn } from './columns.ts';
import { formatMoney } from '../../lib/json/money.ts';
import { nameOperation } from '../../lib/json/names.ts';
import { type TransactionRow } from '../../lib/json/transactions.ts';

/** The columns of transactions. Times in tables are of `timezone`. */
export function transactionColumns(timezone: string): readonly Column<TransactionRow>[] {
  return [
    textColumn('seq', 'SEQ', seqOf, { align: 'right' }),
    timeColumn('occurred_at', 'DATE', timezone, ({ transaction }) => transaction.occurredAt, {
      priority: 5,
    }),
    {
      header: 'operation',
      value: ({ transaction }) => nameOperation(transaction.operation),
      table: {
        title: 'OPERATION',
        priority: 4,
        cell: ({ transaction }) => nameOperation(transaction.operation),
      },
    },
    {
      header: 'amount',
      value: ({ transaction }) => formatMoney(transaction.amountMinor, transaction.currency),
      table: {
        ...{ title: 'AMOUNT', align: 'right', priority: 6 },
        cell: ({ transaction }) => signed(transaction),
      },
    },
    { header: 'currency', value: ({ transaction }) => transaction.currency },
    {
      header: 'balance_after',
      value: ({ transaction }) => formatMoney(transaction.balanceAfterMinor, transaction.currency),
      table: {
        ...{ title: 'BALANCE', align: 'right', priority: 3 },
        cell: ({ transaction: { balanceAfterMinor, currency } }) =>
          `${groupThousands(formatMoney(balanceAfterMinor, currency))} ${currency}`,
      },
    },
    { header: 'id', value: idOf, table: { title: 'ID', isKey: true, cell: idOf } },
    ...noteColumns,
  ];
}

const noteColumns: readonly Column<TransactionRow>[] = [
  {
    header: 'description',
    value: ({ transaction }) => transaction.description,
    isText: true,
    table: {
      title: 'DESCRIPTION',
      isFlexible: true,
      cell: ({ transaction }) => transaction.description,
      listCell: ({ transaction }) => transaction.description ?? transaction.merchant,
    },
  },
  {
    header: 'merchant',
    value: ({ transaction }) => transaction.merchant,
    isText: true,
    table: { title: 'MERCHANT', isCardOnly: true, cell: ({ transaction }) => transaction.merchant },
  },
  {
    header: 'parent_id',
    value: ({ transaction }) => transaction.parentId,
    table: { title: 'UNDOES', isCardOnly: true, cell: ({ transaction }) => transaction.parentId },
  },
  {
    header: 'wallet_id',
    value: ({ transaction }) => transaction.walletId,
    table: { title: 'WALLET', isCardOnly: true, cell: ({ transaction }) => transaction.walletId },
  },
];

/** A transaction that was only tried has neither, unless it was made before. */
const seqOf = ({ transaction, replayed, isDryRun }: TransactionRow): string | undefined =>
  isDryRun && !replayed ? undefined : transaction.seq.toString();
const idOf = ({ transaction, replayed, isDryRun }: TransactionRow): string | undefined =>
  isDryRun && !replayed ? undefined : transaction.id;

/** On a card that is not of a new transaction. */
export const replayedColumn: Column<TransactionRow> = {
  header: 'replayed',
  value: ({ replayed }) => String(replayed),
  table: { title: 'REPLAYED', cell: () => 'yes' },
};

/** Said with the data itself, so that the answer is not taken for a transaction. */
export const dryRunColumn: Column<TransactionRow> = {
  header: 'dry_run',
  value: ({ isDryRun }) => String(isDryRun),
  table: { title: 'DRY RUN', cell: () => 'nothing was changed' },
};

/** People read a table's amounts by what they did to the wallet: a debit has a minus. */
function signed({ amountMinor, direction, currency }: Transaction): string {
  const minor = direction === Direction.DEBIT ? -amountMinor : amountMinor;
  return groupThousands(formatMoney(minor, currency));
}
