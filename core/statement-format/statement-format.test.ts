import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';

import {
  headOf,
  makeLines,
  makeOverdrawnLines,
  nastyTexts,
} from '../../tests/support/ledger/statement-model.ts';
import { exponentOf } from '../currencies.ts';
import type { Operation } from '../operations.ts';
import {
  createStatementWriter,
  statementFileName,
  type ExportFormat,
  type ExportLocale,
  type StatementFileLine,
  type StatementHead,
} from './index.ts';

type WriteOptions = { readonly locale: ExportLocale; readonly hasByteOrderMark: boolean };

const startMs = Date.parse('2026-01-10T12:00:00Z');

function write(
  format: ExportFormat,
  head: StatementHead,
  lines: readonly StatementFileLine[],
  { locale = 'en', hasByteOrderMark = false }: Partial<WriteOptions> = {},
): string {
  const writer = createStatementWriter(format, head, { locale, hasByteOrderMark });
  return writer.begin() + lines.map((line) => writer.line(line)).join('') + writer.end();
}

/** A decimal string back to minor units, by another way than the one that wrote it. */
function toMinor(text: string, exponent: number): bigint {
  const [, sign = '', whole = '', decimals = ''] = /^(-?)(\d+)(?:[.,](\d+))?$/.exec(text) ?? [];
  expect(decimals).toHaveLength(exponent);
  const minor = BigInt(whole) * 10n ** BigInt(exponent) + BigInt(decimals || '0');
  return sign === '' ? minor : -minor;
}

const brazilianNames: Readonly<Record<Operation, string>> = {
  deposit: 'depósito',
  withdraw: 'saque',
  purchase: 'compra',
  reversal: 'estorno',
  cancellation: 'cancelamento',
  transfer: 'transferência',
  hold: 'reserva',
  capture: 'captura',
  release: 'liberação',
  fee: 'tarifa',
};

const merchantOf = (contra: string) => contra.split('merchant:')[1];

describe.each([
  ['BRL', 'never below zero', makeLines],
  ['JPY', 'never below zero', makeLines],
  ['KWD', 'never below zero', makeLines],
  ['BRL', 'with transfers, below zero for a while', makeOverdrawnLines],
  ['JPY', 'with transfers, below zero for a while', makeOverdrawnLines],
] as const)('1,000 random operations in %s, %s', (currency, _kind, make) => {
  const all = make(currency.charCodeAt(0), 1_000, startMs);
  const skipped = 100;
  const lines = all.slice(skipped);
  const head = headOf(currency, all, skipped, 'America/Sao_Paulo');
  const exponent = exponentOf(currency);
  const isoOf = (line: StatementFileLine) =>
    `${new Date(line.occurredAtMs - 3 * 3_600_000).toISOString().slice(0, 23)}-03:00`;

  it.each(['en', 'pt-BR'] as const)('CSV (%s) of random operations reads back equal', (locale) => {
    const text = write('csv', head, lines, { locale, hasByteOrderMark: true });
    expect(text.startsWith('\ufeff')).toBe(true);
    const delimiter = locale === 'en' ? ',' : ';';
    const rows = parse(text, { bom: true, delimiter, record_delimiter: '\r\n' });
    expect(rows[0]?.join(',')).toBe(
      locale === 'en'
        ? 'date,transaction_id,operation,description,debit,credit,balance,currency'
        : 'data,id_da_transação,operação,descrição,débito,crédito,saldo,moeda,fuso_horário',
    );
    expect(rows).toHaveLength(lines.length + 1);
    lines.forEach((line, i) => {
      const [date = '', id, operation, description = '', debit = '', credit = '', balance = ''] =
        rows[i + 1]!;
      const note = line.description ?? merchantOf(line.contraAccount) ?? '';
      const name = locale === 'en' ? line.operation : brazilianNames[line.operation];
      expect([id, operation]).toEqual([line.transactionId, name]);
      expect(description.replace(/^'(?=[=+\-@\t\r])/, '')).toBe(note);
      expect(description).not.toMatch(/^[=+\-@\t\r]/);
      const [taken, given] = [debit, credit].map((t) => (t === '' ? 0n : toMinor(t, exponent)));
      expect(given! - taken!).toBe(line.amountMinor);
      expect([debit, credit].filter((t) => t === '')).toHaveLength(1);
      expect(toMinor(balance, exponent)).toBe(line.balanceAfterMinor);
      const iso = isoOf(line);
      const [year, month, day] = iso.slice(0, 10).split('-');
      const brazilian = `${day}/${month}/${year} ${iso.slice(11, 19)}`;
      expect(date).toBe(locale === 'en' ? iso : brazilian);
      const end = locale === 'en' ? [currency] : [currency, 'UTC-03:00'];
      expect(rows[i + 1]?.slice(7)).toEqual(end);
    });
  });

  it('the lines are what the title says', () => {
    const isOverdrawn = make === makeOverdrawnLines;
    expect(lines.some(({ balanceAfterMinor }) => balanceAfterMinor < 0n)).toBe(isOverdrawn);
    expect(lines.some(({ operation }) => operation === 'transfer')).toBe(isOverdrawn);
  });

  it('JSON and NDJSON of random operations read back equal', () => {
    type Shape = Record<string, string> & { seq: number };
    type Doc = { status: string; statement: Record<string, string> & { lines: Shape[] } };
    const { status, statement } = JSON.parse(write('json', head, lines)) as unknown as Doc;
    const single = write('ndjson', head, lines).trimEnd().split('\n');
    expect(single).toHaveLength(lines.length);
    expect(status).toBe('complete');
    expect(statement).toMatchObject({ currency, timezone: head.timezone });
    const total = (name: string) => toMinor(statement[name]!, exponent);
    expect(total('opening') + total('totalCredit') - total('totalDebit')).toBe(total('closing'));
    expect(total('closing')).toBe(head.closingMinor);
    lines.forEach((line, i) => {
      const shape = statement.lines[i]!;
      expect(JSON.parse(single[i]!)).toEqual({ ...shape, currency });
      expect(shape).toMatchObject({
        seq: Number(line.seq),
        date: isoOf(line),
        transactionId: line.transactionId,
        operation: line.operation,
      });
      expect(shape['description']).toBe(line.description);
      expect(shape['merchant']).toBe(merchantOf(line.contraAccount));
      const amount = toMinor(shape['credit'] ?? shape['debit']!, exponent);
      expect(shape['credit'] === undefined ? -amount : amount).toBe(line.amountMinor);
      expect(toMinor(shape['balance']!, exponent)).toBe(line.balanceAfterMinor);
    });
  });
});

it('a pt-BR file distinguishes the two hours that a clock shows twice', () => {
  const times = ['2018-02-18T01:30:00Z', '2018-02-18T02:30:00Z'];
  const twice = makeLines(3, 2, Date.parse('2018-02-18T01:30:00Z'), 1).map((line, i) => ({
    ...line,
    occurredAtMs: Date.parse(times[i]!),
  }));
  const head = headOf('BRL', twice, 0, 'America/Sao_Paulo');
  const rows = parse(write('csv', head, twice, { locale: 'pt-BR' }), { delimiter: ';' });
  expect(rows.slice(1).map((row) => [row[0], row[8]])).toEqual([
    ['17/02/2018 23:30:00', 'UTC-02:00'],
    ['17/02/2018 23:30:00', 'UTC-03:00'],
  ]);
});

describe('statement files', () => {
  const lines = makeLines(7, 50, startMs);
  const head = headOf('BRL', lines, 0, 'UTC');

  it('a statement file has the same bytes each time it is written', () => {
    for (const format of ['csv', 'json', 'ndjson', 'hledger'] as const) {
      expect(write(format, head, lines)).toBe(write(format, head, lines));
    }
  });

  it('a statement file without lines is valid in CSV, JSON and NDJSON', () => {
    const empty = { ...head, totalDebitMinor: 0n, totalCreditMinor: 0n };
    expect(write('csv', empty, [])).toMatch(/^date,.*\r\n$/);
    expect(JSON.parse(write('json', empty, []))).toMatchObject({ statement: { lines: [] } });
    expect(write('ndjson', empty, [])).toBe('');
  });

  it('a CSV file neutralises a formula, also in a quoted cell', () => {
    const line = { ...lines[0]!, description: '=HYPERLINK("http://x", "y")' };
    expect(write('csv', head, [line])).toContain(`,"'=HYPERLINK(""http://x"", ""y"")",`);
    const carriage = { ...lines[0]!, description: '\rx' };
    expect(write('csv', head, [carriage])).toContain(`,"'\rx",`);
  });

  it('a journal keeps hostile texts on their line, behind the code', () => {
    const nasty = nastyTexts.map((description, i) => ({ ...lines[i]!, description }));
    const text = write('hledger', head, nasty);
    expect(text).not.toMatch(/[\t\r\u202e]/);
    expect(text.split('\n\n')).toHaveLength(nasty.length + 1);
  });

  it.each([
    ['external:cash', 'equity:external:cash'],
    ['merchant', 'expenses:merchants:unknown'],
    ['merchant:', 'expenses:merchants:unknown'],
    ['merchant: \u200b\n', 'expenses:merchants:unknown'],
    ['merchant:Café  24:7; (b) [c]', 'expenses:merchants:Café 24-7, (b) [c]'],
    ['merchant::', 'expenses:merchants:-'],
    ['external:', 'equity:external:unknown'],
  ])('a journal has the contra account %j as %s', (contraAccount, account) => {
    const text = write('hledger', head, [{ ...lines[0]!, contraAccount }]);
    expect(text).toContain(`\n    ${account}  -`);
  });

  it('a CSV file shows a clock that is set back within a day by its offset', () => {
    const shown = (iso: string) => {
      const line = { ...lines[0]!, occurredAtMs: Date.parse(iso) };
      return write('csv', { ...head, timezone: 'America/New_York' }, [line]).split('\r\n')[1];
    };
    expect(shown('2026-11-01T05:30:00Z')).toMatch(/^2026-11-01T01:30:00\.000-04:00,/);
    expect(shown('2026-11-01T06:30:00Z')).toMatch(/^2026-11-01T01:30:00\.000-05:00,/);
    expect(shown('2026-03-08T07:00:00Z')).toMatch(/^2026-03-08T03:00:00\.000-04:00,/);
  });

  it('a statement file is named by currency and days', () => {
    const range = { fromMs: Date.parse('2026-01-01'), toMs: Date.parse('2026-02-01') };
    expect(statementFileName('hledger', { currency: 'BRL', ...range })).toBe(
      'statement-BRL-2026-01-01-2026-02-01.journal',
    );
  });
});
