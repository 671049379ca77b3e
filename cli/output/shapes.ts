import { exponentOf } from '../../core/currencies.ts';
import { formatMinor } from '../../core/money.ts';
import {
  Direction,
  type Transaction,
  type Wallet,
  WalletStatus,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { nameOperation } from '../rpc/names.ts';
import type { Column } from './print.ts';
import { formatLocalTime } from './time.ts';

/** Minor units of a currency as a decimal string, with the server's exponent where it gives one. */
export function formatMoney(minor: bigint, currency: string, exponent?: number): string {
  return formatMinor(minor, exponent ?? exponentOf(currency));
}

/** A transaction as printed; `replayed` and `isDryRun` say how it was come by. */
export type TransactionRow = {
  readonly transaction: Transaction;
  readonly replayed: boolean;
  readonly isDryRun: boolean;
};

/** docs/cli.md, "JSON": the shape of a transaction. */
export function toTransactionJson({ transaction, replayed, isDryRun }: TransactionRow): object {
  const { currency } = transaction;
  const isImagined = isDryRun && !replayed;
  return {
    ...(isImagined ? {} : { id: transaction.id }),
    walletId: transaction.walletId,
    ...(isImagined ? {} : { seq: Number(transaction.seq) }),
    operation: nameOperation(transaction.operation),
    amount: formatMoney(transaction.amountMinor, currency),
    currency,
    balanceAfter: formatMoney(transaction.balanceAfterMinor, currency),
    parentId: transaction.parentId,
    description: transaction.description,
    merchant: transaction.merchant,
    occurredAt: transaction.occurredAt?.toISOString(),
    replayed,
    ...(isDryRun ? { dryRun: true } : {}),
  };
}

/** The columns of transactions. Times in tables are of `timezone`. */
export function transactionColumns(timezone: string): readonly Column<TransactionRow>[] {
  return [
    {
      header: 'seq',
      value: seqOf,
      table: { title: 'SEQ', align: 'right', cell: seqOf },
    },
    {
      header: 'occurred_at',
      value: ({ transaction }) => transaction.occurredAt?.toISOString(),
      table: {
        title: 'DATE',
        cell: ({ transaction: { occurredAt } }) =>
          occurredAt && formatLocalTime(occurredAt, timezone),
      },
    },
    {
      header: 'operation',
      value: ({ transaction }) => nameOperation(transaction.operation),
      table: {
        title: 'OPERATION',
        cell: ({ transaction }) => nameOperation(transaction.operation),
      },
    },
    {
      header: 'amount',
      value: ({ transaction }) => formatMoney(transaction.amountMinor, transaction.currency),
      table: { title: 'AMOUNT', align: 'right', cell: ({ transaction }) => signed(transaction) },
    },
    { header: 'currency', value: ({ transaction }) => transaction.currency },
    {
      header: 'balance_after',
      value: ({ transaction }) => formatMoney(transaction.balanceAfterMinor, transaction.currency),
      table: {
        title: 'BALANCE',
        align: 'right',
        cell: ({ transaction: { balanceAfterMinor, currency } }) =>
          `${formatMoney(balanceAfterMinor, currency)} ${currency}`,
      },
    },
    {
      header: 'id',
      value: idOf,
      table: { title: 'ID', isId: true, cell: idOf },
    },
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

export type BalanceRow = { readonly wallet: Wallet; readonly asOf: Date | undefined };

export const isCorrupt = ({ status }: Wallet): boolean => status === WalletStatus.CORRUPT;

/** Undefined where the server sends none: the wallet contradicts its last transaction. */
export const formatBalance = (wallet: Wallet): string | undefined =>
  isCorrupt(wallet)
    ? undefined
    : formatMoney(wallet.balanceMinor, wallet.currency, wallet.exponent);

/** docs/cli.md, "JSON": the shape of a balance. */
export function toBalanceJson({ wallet, asOf }: BalanceRow): object {
  return {
    walletId: wallet.id,
    userId: wallet.userId,
    currency: wallet.currency,
    balance: formatBalance(wallet),
    seq: Number(wallet.seq),
    asOf: asOf?.toISOString(),
  };
}

/** People read a table's amounts by what they did to the wallet: a debit has a minus. */
function signed({ amountMinor, direction, currency }: Transaction): string {
  return formatMoney(direction === Direction.DEBIT ? -amountMinor : amountMinor, currency);
}
