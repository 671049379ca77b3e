import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  headOf,
  makeLines,
  makeOverdrawnLines,
} from '../../tests/support/ledger/statement-model.ts';
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
    maxBuffer: 64 * 2 ** 20,
  });

type PrintedSide = {
  readonly paccount: string;
  readonly pamount: readonly { readonly acommodity: string; readonly aquantity: object }[];
};
type Printed = {
  readonly tdate: string;
  readonly tdescription: string;
  readonly tpostings: PrintedSide[];
};

/** An account as beancount takes it: capital first letters, and no other than letters and digits. */
const toBeancountAccount = (account: string): string =>
  account
    .split(':')
    .map((part) => part.replace(/[^\p{L}\p{N}]/gu, (c) => `-${c.codePointAt(0)!.toString(16)}`))
    .map((part) => (/^[a-z]/.test(part) ? part[0]!.toUpperCase() + part.slice(1) : part))
    .map((part) => (/^[\p{Lu}\p{Nd}]/u.test(part) ? part : `X${part}`))
    .join(':');

/** A journal as hledger understood it, in the language of beancount. */
function toBeancount(journal: string): string {
  const printed = run('hledger', ['-f', '-', 'print', '-O', 'json'], journal);
  const transactions = JSON.parse(printed) as Printed[];
  const accounts = run('hledger', ['-f', '-', 'accounts', '--used'], journal).trim().split('\n');
  const quote = (text: string): string => JSON.stringify(text.replaceAll('\\', '/'));
  const postings = ({ tpostings }: Printed): string[] =>
    tpostings.map(({ paccount, pamount }) => {
      const { decimalMantissa, decimalPlaces } = pamount[0]!.aquantity as Record<string, number>;
      const amount = `${decimalMantissa!}e-${decimalPlaces!}`;
      return `  ${toBeancountAccount(paccount)}  ${toDecimal(amount)} ${pamount[0]!.acommodity}`;
    });
  return [
    ...accounts.map((account) => `1970-01-01 open ${toBeancountAccount(account)}`),
    ...transactions.map((transaction) =>
      [`${transaction.tdate} * ${quote(transaction.tdescription)}`, ...postings(transaction)].join(
        '\n',
      ),
    ),
  ].join('\n\n');
}

/** `-123e-2` as `-1.23`. */
function toDecimal(text: string): string {
  const [, sign = '', digits = '', places = '0'] = /^(-?)(\d+)e-(\d+)$/.exec(text) ?? [];
  const padded = digits.padStart(Number(places) + 1, '0');
  const split = padded.length - Number(places);
  return `${sign}${padded.slice(0, split)}${places === '0' ? '' : '.'}${padded.slice(split)}`;
}

/** A number as either program prints it, to minor units. */
function toMinor(text: string, exponent: number): bigint {
  const [, sign = '', whole = '', decimals = ''] =
    /(-?)([\d,]+)(?:\.(\d*))?/.exec(text.replaceAll(',', '')) ?? [];
  return BigInt(sign + whole + decimals.padEnd(exponent, '0').slice(0, exponent));
}

describe.each([
  ['BRL', 'never below zero', makeLines],
  ['JPY', 'never below zero', makeLines],
  ['KWD', 'never below zero', makeLines],
  ['BRL', 'with transfers, below zero for a while', makeOverdrawnLines],
] as const)('the journal of 1,000 random operations in %s, %s', (currency, _kind, make) => {
  const all = make(currency.charCodeAt(1), 1_000, startMs);
  const skipped = 60;
  const lines = all.slice(skipped);
  const exponent = exponentOf(currency);
  const journal = writeJournal(headOf(currency, all, skipped, zone), lines);
  const closing = all.at(-1)!.balanceAfterMinor;

  it('the journal passes hledger check, and has every line', () => {
    run('hledger', ['-f', '-', 'check'], journal);
    const args = ['-f', '-', 'register', 'assets:wallets', '-O', 'csv'];
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
    const hledger = run('hledger', ['-f', '-', 'bal', 'assets:wallets', '-N'], journal);
    expect(toMinor(hledger, exponent)).toBe(closing);
    const ledger = run('ledger', ['-f', '-', 'bal', 'assets:wallets'], journal);
    expect(toMinor(ledger, exponent)).toBe(closing);
    // Everything balances: all accounts together come to nothing.
    expect(run('hledger', ['-f', '-', 'bal'], journal).trim().split('\n').at(-1)?.trim()).toBe('0');
  });

  it('the balance sheet has the closing balance, and the income statement the purchases', () => {
    const sheet = run('hledger', ['-f', '-', 'bs', '-O', 'csv'], journal);
    const net = (text: string): string => /"Net:","([^"]*)"/.exec(text)?.[1] ?? '';
    expect(toMinor(net(sheet), exponent)).toBe(closing);
    const income = run('hledger', ['-f', '-', 'is', '-O', 'csv'], journal);
    const spent = lines
      .filter(({ operation }) => operation === 'purchase')
      .reduce((total, { amountMinor }) => total + amountMinor, 0n);
    expect(toMinor(net(income), exponent)).toBe(spent);
    expect(income).toMatch(/"expenses:merchants:/);
  });

  it('beancount reads the converted journal, and has the same closing balance', () => {
    const folder = mkdtempSync(join(tmpdir(), 'beancount-'));
    const file = join(folder, 'wallet.beancount');
    try {
      writeFileSync(file, toBeancount(journal));
      expect(run('bean-check', [file], '')).toBe('');
      const query = "SELECT sum(number) WHERE account ~ '^Assets:Wallets:'";
      const answer = run('bean-query', ['-q', file, query], '');
      expect(toMinor(answer.trim().split('\n').at(-1) ?? '', exponent)).toBe(closing);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('a journal with one changed balance is refused by hledger and ledger', () => {
    const target = lines[500]!;
    const at = journal.indexOf(target.transactionId);
    const later = journal.slice(at).replace(/= (?<sign>-?)(?<digit>\d)/, '= $<sign>9$<digit>');
    const changed = `${journal.slice(0, at)}${later}`;
    expect(() => run('hledger', ['-f', '-', 'check'], changed)).toThrow();
    expect(() => run('ledger', ['-f', '-', 'bal'], changed)).toThrow();
  });
});

it('any text as merchant and description stays within its account, its line and its amount', () => {
  const characters = fc.constantFrom(
    ...Array.from(' \t\n;|:()[]{}=@*!"\'#%-+0aé日~\\/&<>,.$\u00a0\u200b\u2028'),
  );
  const text = fc.string({
    unit: fc.oneof(characters, fc.string({ unit: 'grapheme', maxLength: 1 })),
  });
  const texts = fc.sample(text, { seed: 5, numRuns: 600 });
  let balance = 1_000_000n;
  const lines = makeLines(3, 1, startMs).concat(
    texts.map((merchant, i) => {
      balance -= 1n;
      return {
        ...makeLines(3, 1, startMs)[0]!,
        ...{ seq: BigInt(i + 2), operation: 'purchase' as const, amountMinor: -1n },
        ...{ balanceAfterMinor: balance, contraAccount: `merchant:${merchant}` },
        description: texts.at(-1 - i),
      };
    }),
  );
  const purchases = lines.slice(1);
  const head = { ...headOf('BRL', purchases, 0, zone), openingMinor: 1_000_000n };
  const journal = writeJournal(head, purchases);
  run('hledger', ['-f', '-', 'check'], journal);
  const total = (program: string, account: string): bigint =>
    toMinor(run(program, ['-f', '-', 'bal', account, '--depth', '1'], journal), 2);
  for (const program of ['hledger', 'ledger']) {
    expect(total(program, 'assets')).toBe(balance);
    expect(total(program, 'expenses')).toBe(BigInt(texts.length));
  }
  const used = run('hledger', ['-f', '-', 'accounts', '--used'], journal).trim().split('\n');
  const known = ['assets:wallets:BRL:', 'equity:opening balances', 'expenses:merchants:'];
  expect(used.filter((account) => !known.some((root) => account.startsWith(root)))).toEqual([]);
  expect(used.filter((account) => account.split(':').length > 3 && /^exp/.test(account))).toEqual(
    [],
  );
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
