import { Direction, type Transaction } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { referenceKey } from '../../core/json/metadata.ts';
import type { Column } from './print.ts';
import { groupThousands } from './amount.ts';
import { textColumn, timeColumn } from './columns.ts';
import { formatMoney } from '../../lib/json/money.ts';
import { nameDirection, nameOperation } from '../../lib/json/names.ts';
import {
  formatAvailableAfter,
  formatUndone,
  namedViaOf,
  type TransactionRow,
} from '../../lib/json/transactions.ts';

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
    { header: 'direction', value: ({ transaction }) => nameDirection(transaction.direction) },
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
    table: { title: 'PARENT', isCardOnly: true, cell: ({ transaction }) => transaction.parentId },
  },
  {
    header: 'wallet_id',
    value: ({ transaction }) => transaction.walletId,
    table: { title: 'WALLET', isCardOnly: true, cell: ({ transaction }) => transaction.walletId },
  },
  cardColumn('held', 'HELD', ({ transaction }) => formatHeld(transaction)),
  cardColumn('held_after', 'HELD AFTER', ({ transaction: { heldAfterMinor, currency } }) =>
    heldAfterMinor === undefined ? undefined : formatMoney(heldAfterMinor, currency),
  ),
  cardColumn('available_after', 'AVAILABLE AFTER', ({ transaction }) =>
    formatAvailableAfter(transaction),
  ),
  cardColumn('undone', 'UNDONE', ({ transaction }) => formatUndone(transaction)),
  cardColumn('group_id', 'GROUP', ({ transaction }) => transaction.groupId),
  cardColumn('counterparty', 'OTHER USER', ({ transaction }) => transaction.counterpartyUserId),
  cardColumn('via', 'VIA', ({ transaction }) => namedViaOf(transaction.contraAccount)),
  {
    ...cardColumn(
      'reference',
      'REFERENCE',
      ({ transaction }) => transaction.metadata[referenceKey],
    ),
    isText: true,
  },
  {
    header: 'metadata',
    value: ({ transaction: { metadata } }) =>
      Object.keys(metadata).length === 0 ? undefined : JSON.stringify(metadata),
    isText: true,
    table: { title: 'METADATA', isCardOnly: true, cell: describeMetadata },
  },
];

const reservedPrefix = 'dw.';

/** `order=1042, batch=May`, without what has a line of its own, and the server's own keys. */
function describeMetadata({ transaction }: TransactionRow): string | undefined {
  const pairs = Object.entries(transaction.metadata).filter(
    ([key]) => key !== referenceKey && !key.startsWith(reservedPrefix),
  );
  return pairs.length === 0 ? undefined : pairs.map(([key, text]) => `${key}=${text}`).join(', ');
}

/** Shown of one transaction, and in lists as data only. */
function cardColumn(
  header: string,
  title: string,
  cell: (row: TransactionRow) => string | undefined,
): Column<TransactionRow> {
  return { header, value: cell, table: { title, isCardOnly: true, cell } };
}

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

/** What it reserved, or released (with a minus). */
const formatHeld = ({ heldMinor, currency }: Transaction): string | undefined =>
  heldMinor === undefined ? undefined : formatMoney(heldMinor, currency);

/**
 * People read a table's amounts by what they did to the wallet: a debit has a minus, and money that
 * did not move has a word before it.
 */
function signed({ amountMinor, direction, currency, heldMinor = 0n }: Transaction): string {
  const minor = direction === Direction.DEBIT ? -amountMinor : amountMinor;
  const amount = groupThousands(formatMoney(minor, currency));
  if (direction !== Direction.NONE) return amount;
  return `${heldMinor < 0n ? 'released' : 'held'} ${amount}`;
}
