import { merchantOf } from '../../../core/contra-account.ts';
import type {
  Statement,
  StatementLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import { groupThousands } from '../../output/amount.ts';
import { numberColumn, shorterTimes } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';
import { formatCard } from '../../output/card.ts';
import { formatLocalTime } from '../../output/time.ts';
import { formatMoney } from '../../../lib/json/money.ts';
import { nameOperation } from '../../../lib/json/names.ts';
import { formatZonedTime } from '../../../lib/json/time.ts';

/**
 * `date,transaction_id,operation,description,debit,credit,balance,currency`, and a table's. With
 * holds `held,held_balance` besides.
 */
export function statementColumns(
  { currency, exponent, timezone }: Pick<Statement, 'currency' | 'exponent' | 'timezone'>,
  hasHolds = false,
): readonly Column<StatementLine>[] {
  const money = (minor: bigint): string =>
    minor > 0n ? formatMoney(minor, currency, exponent) : '';
  const amounts = { isKey: true } as const;
  const balanceOf = ({ balanceAfterMinor }: StatementLine): string =>
    formatMoney(balanceAfterMinor, currency, exponent);
  return [
    {
      header: 'date',
      value: ({ occurredAt }) => occurredAt && formatZonedTime(occurredAt, timezone),
      table: {
        ...{ title: 'DATE', isKey: true, shorterWidths: shorterTimes },
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
    numberColumn('debit', 'DEBIT', ({ debitMinor }) => money(debitMinor), amounts),
    numberColumn('credit', 'CREDIT', ({ creditMinor }) => money(creditMinor), amounts),
    numberColumn('balance', 'BALANCE', balanceOf, { priority: 5 }),
    { header: 'currency', value: () => currency },
    ...(hasHolds ? heldColumns((minor) => formatMoney(minor, currency, exponent)) : []),
  ];
}

/** What a line reserved, or released (with a minus), and what is reserved since. */
const heldColumns = (money: (minor: bigint) => string): readonly Column<StatementLine>[] => [
  numberColumn('held', 'HELD', ({ heldMinor = 0n }) => (heldMinor === 0n ? '' : money(heldMinor)), {
    priority: 6,
  }),
  numberColumn('held_balance', 'HELD BALANCE', ({ heldAfterMinor = 0n }) => money(heldAfterMinor), {
    priority: 2,
  }),
];

/** What there is to say about a line in the one column that there is for it. */
const noteOf = (line: StatementLine): string | undefined =>
  line.description ?? merchantOf(line.contraAccount);

type Writer = Pick<Context, 'io' | 'manner'>;

/** What stands before the lines, for people: whose and when, and the opening balance. */
export function formatHead(writer: Writer, statement: Statement): string {
  const { timezone, from, to } = statement;
  const local = (time: Date | undefined): string =>
    time === undefined ? '' : formatLocalTime(time, timezone);
  return formatCard(writer, [
    ['wallet', statement.walletId],
    ['from', local(from)],
    ['to', `${local(to)} (not included)`],
    ['time zone', timezone],
    ['opening', moneyOf(statement, statement.openingMinor)],
  ]);
}

/** What stands behind them: the totals and the closing balance. */
export function formatFoot(writer: Writer, statement: Statement): string {
  return formatCard(writer, [
    ['total debit', moneyOf(statement, statement.totalDebitMinor)],
    ['total credit', moneyOf(statement, statement.totalCreditMinor)],
    ['closing', moneyOf(statement, statement.closingMinor)],
    ['held', moneyIfAny(statement, statement.heldClosingMinor)],
    ['available', moneyIfAny(statement, statement.availableClosingMinor)],
  ]);
}

const moneyIfAny = (statement: Statement, minor: bigint | undefined): string | undefined =>
  minor === undefined ? undefined : moneyOf(statement, minor);

const moneyOf = ({ currency, exponent }: Statement, minor: bigint): string =>
  `${groupThousands(formatMoney(minor, currency, exponent))} ${currency}`;
