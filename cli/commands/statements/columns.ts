import { merchantOf } from '../../../core/contra-account.ts';
import type {
  Statement,
  StatementLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import { formatRows, type Column } from '../../output/print.ts';
import { formatCard } from '../../output/card.ts';
import { formatLocalTime } from '../../output/time.ts';
import { formatMoney } from '../../../lib/json/money.ts';
import { nameOperation } from '../../../lib/json/names.ts';
import { formatZonedTime } from '../../../lib/json/time.ts';

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
