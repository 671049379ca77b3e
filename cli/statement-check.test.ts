import { describe, expect, test } from 'vitest';

import { Statement, StatementLine } from '../protos/gen/digitalwallet/statement/v1/statement.ts';
import { startStatementCheck } from './statement-check.ts';

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
  test('over pages', () => {
    expect(check(statement, [credit], [debit])).toBe('adds up');
  });

  test('a line that does not follow is named', () => {
    expect(check(statement, [debit, credit])).toContain('line 3');
    expect(check(statement, [credit, { ...debit, balanceAfterMinor: 119n }])).toContain('1.19 BRL');
  });

  test('a line that is missing shows in the closing balance', () => {
    expect(check(statement, [credit])).toContain('the closing balance is 1.20 BRL');
  });

  test('totals must be the sums', () => {
    const wrong = { ...statement, totalDebitMinor: 31n };
    expect(check(wrong, [credit, debit])).toContain('totals');
  });
});
