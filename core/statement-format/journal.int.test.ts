import { execFileSync } from 'node:child_process';

import { describe, expect, it } from 'vitest';

import { headOf, makeLines } from '../../tests/support/ledger/statement-model.ts';
import { exponentOf } from '../currencies.ts';
import { createStatementWriter, type StatementFileLine, type StatementHead } from './index.ts';

const startMs = Date.parse('2026-01-10T12:00:00Z');
const zone = 'America/Sao_Paulo';

function writeJournal(head: StatementHead, lines: readonly StatementFileLine[]): string {
  const options = { locale: 'en', hasByteOrderMark: false } as const;
  const writer = createStatementWriter('hledger', head, options);
  return writer.begin() + lines.map((line) => writer.line(line)).join('') + writer.end();
}

const run = (program: string, args: readonly string[], input: string): string =>
  execFileSync(program, [...args], {
    input,
    encoding: 'utf8',
    env: { LANG: 'C.UTF-8' },
    stdio: 'pipe',
  });

/** A number as either program prints it, to minor units. */
function toMinor(text: string, exponent: number): bigint {
  const [, sign = '', whole = '', decimals = ''] =
    /(-?)([\d,]+)(?:\.(\d*))?/.exec(text.replaceAll(',', '')) ?? [];
  return BigInt(sign + whole + decimals.padEnd(exponent, '0').slice(0, exponent));
}

describe.each(['BRL', 'JPY', 'KWD'])('the journal of 1,000 random operations in %s', (currency) => {
  const all = makeLines(currency.charCodeAt(1), 1_000, startMs);
  const skipped = 60;
  const lines = all.slice(skipped);
  const exponent = exponentOf(currency);
  const journal = writeJournal(headOf(currency, all, skipped, zone), lines);
  const closing = all.at(-1)!.balanceAfterMinor;

  it('the journal passes hledger check, and has every line', () => {
    run('hledger', ['-f', '-', 'check'], journal);
    const args = ['-f', '-', 'register', 'assets:wallet', '-O', 'csv'];
    const rows = run('hledger', args, journal).trim().split('\n').slice(1);
    // The opening balance is a transaction too.
    expect(rows).toHaveLength(lines.length + 1);
    rows.slice(1).forEach((row, i) => {
      const cells = row.match(/"(?:[^"]|"")*"/g)!.map((cell) => cell.slice(1, -1));
      const line = lines[i]!;
      expect(cells[2]).toBe(line.transactionId);
      const [amount = '', total = ''] = cells.slice(-2);
      expect(toMinor(amount, exponent)).toBe(line.amountMinor);
      expect(toMinor(total, exponent)).toBe(line.balanceAfterMinor);
    });
  });

  it('the journal has the same closing balance in hledger and ledger, to the last unit', () => {
    const hledger = run('hledger', ['-f', '-', 'bal', 'assets:wallet', '-N'], journal);
    expect(toMinor(hledger, exponent)).toBe(closing);
    const ledger = run('ledger', ['-f', '-', 'bal', 'assets:wallet'], journal);
    expect(toMinor(ledger, exponent)).toBe(closing);
    // Everything balances: all accounts together come to nothing.
    expect(run('hledger', ['-f', '-', 'bal'], journal).trim().split('\n').at(-1)?.trim()).toBe('0');
  });

  it('a journal with one changed balance is refused by hledger and ledger', () => {
    const target = lines[500]!;
    const at = journal.indexOf(target.transactionId);
    const changed = `${journal.slice(0, at)}${journal.slice(at).replace(/= (\d)/, '= 9$1')}`;
    expect(() => run('hledger', ['-f', '-', 'check'], changed)).toThrow();
    expect(() => run('ledger', ['-f', '-', 'bal'], changed)).toThrow();
  });
});

it('a clock set back just after midnight leaves the journal in order', () => {
  // St John's set its clocks back at 00:01, so that the day before was shown once more.
  const [first, second] = makeLines(3, 2, Date.parse('2010-11-07T02:30:30Z'), 1);
  const later = { ...second!, occurredAtMs: Date.parse('2010-11-07T02:31:30Z') };
  const lines = [{ ...first!, occurredAtMs: Date.parse('2010-11-07T02:30:30Z') }, later];
  const journal = writeJournal(headOf('BRL', lines, 0, 'America/St_Johns'), lines);
  run('hledger', ['-f', '-', 'check'], journal);
  run('ledger', ['-f', '-', 'bal'], journal);
});
