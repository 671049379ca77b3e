import type {
  Statement,
  StatementLine,
} from '../protos/gen/digitalwallet/statement/v1/statement.ts';
import { fail, succeed, type Outcome } from './failures.ts';
import { formatMoney } from './output/shapes.ts';

/** Adds a statement's lines up, page by page, and says where they do not fit. */
export type StatementCheck = {
  /** Each balance must be the one before it and the line. */
  addLines(lines: readonly StatementLine[]): Outcome<undefined>;
  /** The lines must lead from the opening to the closing balance, and sum up to the totals. */
  end(): Outcome<undefined>;
};

/** The sums of a statement's head are the whole range's, so the first page's will do. */
export function startStatementCheck(statement: Statement): StatementCheck {
  const { currency, exponent } = statement;
  const money = (minor: bigint): string => `${formatMoney(minor, currency, exponent)} ${currency}`;
  const mismatch = (message: string): Outcome<undefined> =>
    fail('STATEMENT_MISMATCH', `the statement does not add up: ${message}`, {
      hint: "do not rely on it; ask the server's operator to verify the ledger",
    });
  let balance = statement.openingMinor;
  let debit = 0n;
  let credit = 0n;
  return {
    addLines: (lines) => {
      for (const line of lines) {
        balance += line.creditMinor - line.debitMinor;
        debit += line.debitMinor;
        credit += line.creditMinor;
        if (balance !== line.balanceAfterMinor) {
          return mismatch(
            `line ${line.seq} (${line.transactionId}) says ${money(line.balanceAfterMinor)} ` +
              `where the lines before it lead to ${money(balance)}`,
          );
        }
      }
      return succeed(undefined);
    },
    end: () => {
      const { closingMinor, totalDebitMinor, totalCreditMinor } = statement;
      if (balance !== closingMinor) {
        return mismatch(
          `the lines lead to ${money(balance)}, and the closing balance is ${money(closingMinor)}`,
        );
      }
      if (debit !== totalDebitMinor || credit !== totalCreditMinor) {
        return mismatch('the totals are not the sums of its lines');
      }
      return succeed(undefined);
    },
  };
}
