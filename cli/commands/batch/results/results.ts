import type { FileHandle } from 'node:fs/promises';

import { exponentOf } from '../../../../core/currencies.ts';
import { resolvesInDoubt } from '../../../../core/in-doubt.ts';
import { formatMinor } from '../../../../core/money.ts';
import type { TransactionResult } from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { unknownReasons } from '../../../rpc/errors.ts';
import { formatCsvHeader, formatCsvRows, type CsvColumn } from '../../../output/csv.ts';
import { toJsonText } from '../../../terminal/plain.ts';
import type { InvalidRow, RowText } from '../rows/check.ts';
import { isBatchColumn } from '../rows/raw-row.ts';
import type { AnsweredRow } from '../send/answers.ts';
import { isItemRow, type ItemRow } from '../rows/chunk.ts';

export type RowStatus = 'done' | 'replayed' | 'rejected' | 'unknown' | 'invalid';

/** The outcome of a row, as in the results file. */
export type RowResult = {
  readonly row: number;
  readonly status: RowStatus;
  readonly operation: string;
  /** As in the row; of what is done, a decimal string in the currency's form. */
  readonly amount: string | undefined;
  readonly currency: string | undefined;
  /** As the row, or `--user`, names it. */
  readonly user: string | undefined;
  readonly transactionId: string | undefined;
  readonly userId: string | undefined;
  /** The wallet's balance after it, a decimal string. */
  readonly balance: string | undefined;
  readonly reason: string | undefined;
  readonly field: string | undefined;
  /** Why it was not done, for people to read. */
  readonly message: string | undefined;
};

export type ResultsFormat = 'csv' | 'ndjson';

const columns: readonly CsvColumn<RowResult>[] = [
  { header: 'row', value: ({ row }) => row },
  { header: 'status', value: ({ status }) => status },
  { header: 'operation', value: ({ operation }) => operation },
  { header: 'amount', value: ({ amount }) => amount },
  { header: 'currency', value: ({ currency }) => currency },
  { header: 'user', value: ({ user }) => user },
  { header: 'transaction_id', value: ({ transactionId }) => transactionId },
  { header: 'user_id', value: ({ userId }) => userId },
  { header: 'balance', value: ({ balance }) => balance },
  { header: 'reason', value: ({ reason }) => reason },
  { header: 'field', value: ({ field }) => field },
  { header: 'message', value: ({ message }) => message },
];

export const formatHead = (format: ResultsFormat): string =>
  format === 'csv' ? formatCsvHeader(columns) : '';

export function formatResults(format: ResultsFormat, results: readonly RowResult[]): string {
  return format === 'csv'
    ? formatCsvRows({ isTerminal: false }, columns, results)
    : results.map((result) => `${toJsonText(result)}\n`).join('');
}

/** True for a file that is empty, or begins as results of a batch do. */
export async function isResultsHead(file: FileHandle): Promise<boolean> {
  const buffer = Buffer.alloc(1_024);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  const text = buffer.toString('utf8', 0, bytesRead);
  const head = formatHead('csv');
  return (
    text === '' ||
    text.startsWith(head) ||
    head.startsWith(text) ||
    /^\{"row":\d+,"status":"/.test(text)
  );
}

/** What became of rows. The server says which of them were done by this run, or before. */
export function toResults(
  answered: readonly AnsweredRow[],
  { isDryRun }: { readonly isDryRun: boolean },
): RowResult[] {
  return answered.map(({ row, answer }) => {
    if (!isItemRow(row)) return toInvalid(row);
    return toResult(row, answer, isDryRun);
  });
}

const nothing = { transactionId: undefined, balance: undefined };

const orNone = (text: string): string | undefined => (text === '' ? undefined : text);

const toCells = ({ operation, amount, currency, user }: RowText) => ({
  operation,
  amount: orNone(amount),
  currency: orNone(currency),
  user: orNone(user),
});

function toInvalid({ row, reason, field, message, text }: InvalidRow): RowResult {
  const cells = toCells(text);
  return {
    row,
    status: 'invalid',
    ...cells,
    userId: undefined,
    ...nothing,
    reason,
    field,
    message,
  };
}

function toResult(
  { row, userId, text, wasSent }: ItemRow,
  answer: TransactionResult | undefined,
  isDryRun: boolean,
): RowResult {
  const outcome = answer?.outcome;
  if (outcome?.$case === 'created' && outcome.value.transaction) {
    const { transaction, replayed } = outcome.value;
    const { id, amountMinor, balanceAfterMinor, currency } = transaction;
    const exponent = exponentOf(currency);
    return {
      row,
      status: replayed ? 'replayed' : 'done',
      ...toCells(text),
      amount: formatMinor(amountMinor, exponent),
      currency,
      // A dry run made no transaction.
      transactionId: isDryRun && !replayed ? undefined : id,
      userId: transaction.userId,
      balance: formatMinor(balanceAfterMinor, exponent),
      ...{ reason: undefined, field: undefined, message: undefined },
    };
  }
  if (outcome?.$case !== 'refusal') throw new Error(`row ${row} was answered with nothing`);
  const { reason, message, metadata } = outcome.value;
  return {
    row,
    // A dry run leaves nothing behind that could be in doubt.
    status: toStatus(reason, wasSent && !isDryRun),
    ...toCells(text),
    userId: userId === '' ? undefined : userId,
    ...nothing,
    reason,
    field: toColumn(metadata['field']),
    message,
  };
}

/** A refusal says that this attempt did nothing; of an earlier one only the ledger can say it. */
function toStatus(reason: string, isInDoubt: boolean): RowStatus {
  const isUnknown = (unknownReasons as ReadonlySet<string>).has(reason);
  if (isUnknown || (isInDoubt && !resolvesInDoubt(reason))) return 'unknown';
  return isBadInput(reason) ? 'invalid' : 'rejected';
}

/** What no state of the wallet could make right. */
const isBadInput = (reason: string): boolean =>
  [
    ...['INVALID_ARGUMENT', 'AMOUNT_INVALID', 'CURRENCY_UNKNOWN', 'USER_REQUIRED'],
    'TRANSFER_TO_SELF',
  ].includes(reason);

const columnsOfFields: Readonly<Record<string, string>> = {
  user_id: 'user',
  idempotency_key: 'key',
  to_user_id: 'to',
};

/** The server names fields of its own; those of a row are columns. */
function toColumn(field = ''): string | undefined {
  const name = columnsOfFields[field] ?? field;
  return isBatchColumn(name) ? name : undefined;
}
