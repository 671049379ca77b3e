import { merchantOf } from '../../core/contra-account.ts';
import {
  StatementStatus,
  type Statement,
  type StatementLine,
} from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { formatMoney } from './money.ts';
import { nameOperation } from './names.ts';
import { formatZonedTime } from './time.ts';

export type StatementStatusName = 'complete' | 'incomplete' | 'queued' | 'inconsistent';

/** Undefined for a number from a newer server. */
export function nameStatementStatus(status: StatementStatus): StatementStatusName | undefined {
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
    ...heldBalancesOf(statement, money),
    lines: lines.map((line) => toLineJson(statement, line)),
    ...(behindBy === undefined || behindBy === 0n ? {} : { behindBy: Number(behindBy) }),
    ...(inconsistency === '' ? {} : { inconsistency }),
  };
}

/** Of a statement with the lines of holds. */
function heldBalancesOf(
  { heldClosingMinor, availableClosingMinor }: Statement,
  money: (minor: bigint) => string,
): object {
  if (heldClosingMinor === undefined || availableClosingMinor === undefined) return {};
  return {
    heldClosing: money(heldClosingMinor),
    availableClosing: money(availableClosingMinor),
  };
}

/** A line of a statement; money and times as the statement has them. */
export function toLineJson(
  { currency, exponent, timezone }: Pick<Statement, 'currency' | 'exponent' | 'timezone'>,
  line: StatementLine,
): object {
  const money = (minor: bigint): string => formatMoney(minor, currency, exponent);
  const moneyIfAny = (minor: bigint | undefined): string | undefined =>
    minor === undefined ? undefined : money(minor);
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
    held: moneyIfAny(line.heldMinor),
    heldBalance: moneyIfAny(line.heldAfterMinor),
  };
}
