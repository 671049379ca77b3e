import { describe, expect, test } from 'vitest';

import {
  Statement,
  StatementLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { startFilteredCheck, startStatementCheck } from './check.ts';

const statement = Statement.fromPartial({
  currency: 'BRL',
  exponent: 2,
  openingMinor: 100n,
  totalDebitMinor: 30n,
  totalCreditMinor: 50n,
  closingMinor: 120n,
});
const credit = StatementLine.fromPartial({ seq: 2n, creditMinor: 50n, balanceAfterMinor: 150n });
const debit = StatementLine.fromPartial({ seq: 3n, debitMinor: 30n, balanceAfterMinor: 120n });

const check = (head: Statement, ...pages: StatementLine[][]) => {
  const started = startStatementCheck(head);
  for (const page of pages) {
    const added = started.addLines(page);
    if (!added.ok) return added.failure.message;
  }
  const ended = started.end();
  return ended.ok ? 'adds up' : ended.failure.message;
};

describe('the check that a statement adds up', () => {
  test('a statement that adds up over two pages is accepted', () => {
    expect(check(statement, [credit], [debit])).toBe('adds up');
  });

  test('a statement line that does not follow from the one before is named', () => {
    expect(check(statement, [debit, credit])).toContain('line 3');
    expect(check(statement, [credit, { ...debit, balanceAfterMinor: 119n }])).toContain('1.19 BRL');
  });

  test('a missing statement line is reported as a wrong closing balance', () => {
    expect(check(statement, [credit])).toContain('the closing balance is 1.20 BRL');
  });

  test('a statement whose totals are not the sums of its lines is refused', () => {
    const wrong = { ...statement, totalDebitMinor: 31n };
    expect(check(wrong, [credit, debit])).toContain('totals');
  });

  test('a statement read newest first must lead back to the opening balance', () => {
    const part = { isReversed: true, startsMidway: false };
    const right = startStatementCheck(statement, part);
    expect(right.addLines([debit, credit]).ok && right.end().ok).toBe(true);
    expect(startStatementCheck(statement, part).addLines([credit, debit]).ok).toBe(false);
    const short = startStatementCheck(statement, part);
    short.addLines([debit]);
    const ended = short.end();
    expect(ended.ok ? '' : ended.failure.message).toContain('the opening balance is 1.00 BRL');
  });

  test('a statement read from a later page on must lead to the closing balance', () => {
    const part = { isReversed: false, startsMidway: true };
    const right = startStatementCheck(statement, part);
    expect(right.addLines([debit]).ok && right.end().ok).toBe(true);
    const wrong = startStatementCheck(statement, part);
    wrong.addLines([credit]);
    expect(wrong.end().ok).toBe(false);
  });
});

describe('the check of a statement filtered by operation', () => {
  const deposit = { ...credit, operation: Operation.DEPOSIT };

  test('the filtered check accepts gaps between lines, and no other operations', () => {
    const right = startFilteredCheck(statement, [Operation.DEPOSIT]);
    expect(right.addLines([deposit]).ok && right.end().ok).toBe(true);
    expect(startFilteredCheck(statement, [Operation.WITHDRAW]).addLines([deposit]).ok).toBe(false);
  });

  test('the filtered check refuses wrong totals, and lines that exceed the totals', () => {
    const wrong = { ...statement, closingMinor: 121n };
    expect(startFilteredCheck(wrong, [Operation.DEPOSIT]).end().ok).toBe(false);
    const twice = startFilteredCheck(statement, [Operation.DEPOSIT]);
    twice.addLines([deposit, deposit]);
    expect(twice.end().ok).toBe(false);
  });
});
