import { merchantOf } from '../../../core/contra-account.ts';
import {
  StatementStatus,
  type Statement,
  type StatementLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import { formatRows, type Column } from '../../output/print.ts';
import { nameOperation } from '../../rpc/names.ts';
import { formatMoney } from '../../output/shapes.ts';
import { formatCard } from '../../output/card.ts';
import { formatLocalTime, formatZonedTime } from '../../output/time.ts';

export type StatementStatusName = 'complete' | 'incomplete' | 'queued' | 'inconsistent';

/** Undefined for a number from a newer server. */
export function nameStatus(status: StatementStatus): StatementStatusName | undefined {
  switch (status) {
    case StatementStatus.COMPLETE:
      return 'complete';
    case StatementStatus.INCOMPLETE:
      return 'incomplete';
    case StatementStatus.QUEUED:
      return 'queued';
    case StatementStatus.INCONSISTENT:
      return 'inconsistent';
    default:
      return undefined;
  }
}

/** docs/cli.md, "JSON": the shape of a statement, with the lines of all its pages. */
export function toStatementJson(statement: Statement, lines: readonly StatementLine[]): object {
  const { walletId, currency, exponent, timezone, behindBy, inconsistency } = statement;
  const money = (minor: bigint): string => formatMoney(minor, currency, exponent);
  const zoned = (time: Date | undefined): string | undefined =>
    time && formatZonedTime(time, timezone);
  return {
    walletId,
    currency,
    from: zoned(statement.from),
    to: zoned(statement.to),
    timezone,
    opening: money(statement.openingMinor),
    totalDebit: money(statement.totalDebitMinor),
    totalCredit: money(statement.totalCreditMinor),
    closing: money(statement.closingMinor),
    lines: lines.map((line) => toLineJson(statement, line)),
    ...(behindBy === undefined || behindBy === 0n ? {} : { behindBy: Number(behindBy) }),
    ...(inconsistency === '' ? {} : { inconsistency }),
  };
}

export function toLineJson(
  { currency, exponent, timezone }: Statement,
  line: StatementLine,
): object {
  const money = (minor: bigint): string => formatMoney(minor, currency, exponent);
  return {
    seq: Number(line.seq),
    date: line.occurredAt && formatZonedTime(line.occurredAt, timezone),
    transactionId: line.transactionId,
    operation: nameOperation(line.operation),
    description: line.description,
    merchant: merchantOf(line.contraAccount),
    debit: line.debitMinor > 0n ? money(line.debitMinor) : undefined,
    credit: line.creditMinor > 0n ? money(line.creditMinor) : undefined,
    balance: money(line.balanceAfterMinor),
  };
}

/** `date,transaction_id,operation,description,debit,credit,balance,currency`, and a table's. */
export function statementColumns({
  currency,
  exponent,
  timezone,
}: Statement): readonly Column<StatementLine>[] {
  const money = (minor: bigint): string =>
    minor > 0n ? formatMoney(minor, currency, exponent) : '';
  const balanceOf = ({ balanceAfterMinor }: StatementLine): string =>
    formatMoney(balanceAfterMinor, currency, exponent);
  return [
    {
      header: 'date',
      value: ({ occurredAt }) => occurredAt && formatZonedTime(occurredAt, timezone),
      table: {
        title: 'DATE',
        cell: ({ occurredAt }) => occurredAt && formatLocalTime(occurredAt, timezone),
      },
    },
    { header: 'transaction_id', value: ({ transactionId }) => transactionId },
    {
      header: 'operation',
      value: ({ operation }) => nameOperation(operation),
      table: { title: 'OPERATION', cell: ({ operation }) => nameOperation(operation) },
    },
    {
      header: 'description',
      value: noteOf,
      isText: true,
      table: { title: 'DESCRIPTION', isFlexible: true, cell: noteOf },
    },
    {
      header: 'debit',
      value: ({ debitMinor }) => money(debitMinor),
      table: { title: 'DEBIT', align: 'right', cell: ({ debitMinor }) => money(debitMinor) },
    },
    {
      header: 'credit',
      value: ({ creditMinor }) => money(creditMinor),
      table: { title: 'CREDIT', align: 'right', cell: ({ creditMinor }) => money(creditMinor) },
    },
    {
      header: 'balance',
      value: balanceOf,
      table: { title: 'BALANCE', align: 'right', cell: balanceOf },
    },
    { header: 'currency', value: () => currency },
  ];
}

/** What there is to say about a line in the one column that there is for it. */
const noteOf = (line: StatementLine): string | undefined =>
  line.description ?? merchantOf(line.contraAccount);

/** A statement for people: whose and when, opening, the lines, totals, closing. */
export async function formatStatement(
  writer: Pick<Context, 'io' | 'manner'>,
  statement: Statement,
  lines: readonly StatementLine[],
): Promise<string> {
  const { currency, exponent, timezone, from, to } = statement;
  const money = (minor: bigint): string => `${formatMoney(minor, currency, exponent)} ${currency}`;
  const local = (time: Date | undefined): string =>
    time === undefined ? '' : formatLocalTime(time, timezone);
  const head = formatCard(writer, [
    ['wallet', statement.walletId],
    ['from', local(from)],
    ['to', `${local(to)} (not included)`],
    ['time zone', timezone],
    ['opening', money(statement.openingMinor)],
  ]);
  const foot = formatCard(writer, [
    ['total debit', money(statement.totalDebitMinor)],
    ['total credit', money(statement.totalCreditMinor)],
    ['closing', money(statement.closingMinor)],
  ]);
  const body =
    lines.length === 0
      ? 'no transactions in this range\n'
      : await formatRows(writer, statementColumns(statement), lines);
  return `${head}\n${body}\n${foot}`;
}
