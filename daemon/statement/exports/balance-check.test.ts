import { describe, expect, it } from 'vitest';

import { createRowReader } from '../../../core/statement-format/index.ts';
import { toCopyRow } from '../../../tests/support/ledger/copy-row.ts';
import type { Extent } from '../domain.ts';
import { startBalanceCheck } from './balance-check.ts';

const id = '7b0c1f52-6a0e-5a59-9d5c-2f6f1f0c9a11';
const { row, read } = createRowReader();

function readLine(amountMinor: bigint, balanceAfterMinor: bigint): void {
  const fixed = { seq: 1n, transactionId: id, occurredAtMs: 0, contraAccount: 'external:cash' };
  const rest = { operation: 'deposit', description: undefined } as const;
  const bytes = toCopyRow({ ...fixed, ...rest, amountMinor, balanceAfterMinor });
  read(bytes, 0, bytes.length);
}

/** Checks lines of these amounts and balances as the ones after `openingMinor`. */
function check(openingMinor: bigint, lines: readonly (readonly [bigint, bigint])[]): void {
  const closingMinor = lines.at(-1)?.[1] ?? openingMinor;
  const closingSeq = 10n + BigInt(lines.length);
  const totals = { lineCount: 0n, totalDebitMinor: 0n, totalCreditMinor: 0n };
  const extent: Extent = {
    openingSeq: 10n,
    openingMinor,
    closingSeq,
    closingMinor,
    ...totals,
    ...nothing,
  };
  const balance = startBalanceCheck('w', extent);
  for (const [amount, after] of lines) {
    readLine(amount, after);
    balance.add(row);
  }
  balance.checkSeq(closingSeq);
  balance.end();
}

const nothing = { nextSeq: undefined, brokenSeq: undefined, heldClosingMinor: 0n, holdCount: 0n };
const exact = 10n ** 15n;

describe('check of balances', () => {
  it.each([0n, 5n, exact - 2n, exact, 2n ** 53n, 10n ** 17n])('lines from %s add up', (opening) => {
    const amounts = [1n, 1n, 1n, 7n, -3n, exact - 1n, -exact, exact + 1n, -9n, 2n];
    let after = opening;
    const lines = amounts.map((amount) => [amount, (after += amount)] as const);
    check(opening, lines);
    // One unit more or less in any place shows.
    for (const i of lines.keys()) {
      const at = `at seq ${11 + i}`;
      const changed = (amount: bigint, balance: bigint) =>
        lines.map((line, j) => (i === j ? ([line[0] + amount, line[1] + balance] as const) : line));
      expect(() => check(opening, changed(1n, 0n))).toThrow(at);
      expect(() => check(opening, changed(0n, -1n))).toThrow(at);
      // Without the last one it is another range.
      if (i < lines.length - 1) {
        expect(() => check(opening, lines.toSpliced(i, 1))).toThrow(at);
      }
    }
  });

  it('the check of balances finds that the last line is missing', () => {
    const extent: Extent = {
      ...{ openingSeq: 0n, openingMinor: 0n, closingSeq: 2n, closingMinor: 2n, lineCount: 2n },
      ...{ totalDebitMinor: 0n, totalCreditMinor: 2n, ...nothing },
    };
    const balance = startBalanceCheck('w', extent);
    readLine(1n, 1n);
    balance.add(row);
    expect(() => balance.checkSeq(2n)).toThrow('up to seq 2');
    expect(() => balance.end()).toThrow('at the end');
  });

  it('the check of balances finds another closing balance, or another closing line', () => {
    const extent: Extent = {
      ...{ openingSeq: 0n, openingMinor: 0n, closingSeq: 1n, closingMinor: 1n, lineCount: 1n },
      ...{ totalDebitMinor: 0n, totalCreditMinor: 1n, ...nothing },
    };
    const endOf = (change: Partial<Extent>): (() => void) => {
      const balance = startBalanceCheck('w', { ...extent, ...change });
      readLine(1n, 1n);
      balance.add(row);
      return () => balance.end();
    };
    expect(endOf({})).not.toThrow();
    expect(endOf({ closingMinor: 2n })).toThrow('wallet w do not add up at the end');
    expect(endOf({ closingSeq: 2n })).toThrow('at the end');
  });
});
