import type {
  Statement,
  StatementLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { fail, succeed, type Outcome } from '../../outcome.ts';
import { formatMoney } from '../../../lib/json/money.ts';

/** Adds a statement's lines up, page by page, and says where they do not fit. */
export type StatementCheck = {
  /** Each balance must be the one before it and the line. */
  addLines(lines: readonly StatementLine[]): Outcome<undefined>;
  /** The lines must lead from the opening to the closing balance, and sum up to the totals. */
  end(): Outcome<undefined>;
};

/** Which lines of a statement are going to be checked. */
export type CheckedPart = {
  /** Newest first: from the closing balance back to the opening one. */
  readonly isReversed: boolean;
  /** The lines before these were read by another command, which checked them. */
  readonly startsMidway: boolean;
};

const wholeStatement: CheckedPart = { isReversed: false, startsMidway: false };

/** The sums of a statement's head are the whole range's, so the first page's will do. */
export function startStatementCheck(
  statement: Statement,
  { isReversed, startsMidway }: CheckedPart = wholeStatement,
): StatementCheck {
  const { openingMinor, closingMinor, totalDebitMinor, totalCreditMinor } = statement;
  const money = moneyOf(statement);
  const [start, aim] = isReversed ? [closingMinor, openingMinor] : [openingMinor, closingMinor];
  let balance = startsMidway ? undefined : start;
  let debit = 0n;
  let credit = 0n;
  return {
    addLines: (lines) => {
      for (const line of lines) {
        const change = line.creditMinor - line.debitMinor;
        const before = isReversed ? line.balanceAfterMinor : line.balanceAfterMinor - change;
        balance ??= before;
        debit += line.debitMinor;
        credit += line.creditMinor;
        if (balance !== before) {
          const led = isReversed ? balance : balance + change;
          return mismatch(
            `line ${line.seq} (${line.transactionId}) says ${money(line.balanceAfterMinor)} ` +
              `where the lines before it lead to ${money(led)}`,
          );
        }
        balance += isReversed ? -change : change;
      }
      return succeed(undefined);
    },
    end: () => {
      if (balance !== undefined && balance !== aim) {
        const edge = isReversed ? 'opening' : 'closing';
        return mismatch(
          `the lines lead to ${money(balance)}, and the ${edge} balance is ${money(aim)}`,
        );
      }
      if (!startsMidway && (debit !== totalDebitMinor || credit !== totalCreditMinor)) {
        return mismatch('the totals are not the sums of its lines');
      }
      return succeed(undefined);
    },
  };
}

/**
 * For some operations' lines, between which others are missing: opening balance and totals must
 * lead to the closing balance, the lines be of these operations and sum up to no more than the
 * totals.
 */
export function startFilteredCheck(
  statement: Statement,
  operations: readonly Operation[],
): StatementCheck {
  const { openingMinor, closingMinor, totalDebitMinor, totalCreditMinor } = statement;
  let debit = 0n;
  let credit = 0n;
  return {
    addLines: (lines) => {
      for (const line of lines) {
        debit += line.debitMinor;
        credit += line.creditMinor;
        if (!operations.includes(line.operation)) {
          return mismatch(`line ${line.seq} (${line.transactionId}) is of another operation`);
        }
      }
      return succeed(undefined);
    },
    end: () => {
      const money = moneyOf(statement);
      const led = openingMinor + totalCreditMinor - totalDebitMinor;
      if (led !== closingMinor) {
        return mismatch(
          `the totals lead to ${money(led)}, and the closing balance is ${money(closingMinor)}`,
        );
      }
      if (debit > totalDebitMinor || credit > totalCreditMinor) {
        return mismatch('its lines sum up to more than the totals');
      }
      return succeed(undefined);
    },
  };
}

function moneyOf({ currency, exponent }: Statement): (minor: bigint) => string {
  return (minor) => `${formatMoney(minor, currency, exponent)} ${currency}`;
}

const mismatch = (message: string): Outcome<undefined> =>
  fail('STATEMENT_MISMATCH', `the statement does not add up: ${message}`, {
    hint: "do not rely on it; ask the server's operator to verify the ledger",
  });
