import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';

import { toCopyRow } from '../../tests/support/ledger/copy-row.ts';
import { headOf, makeHoldLines } from '../../tests/support/ledger/statement-model.ts';
import { exponentOf } from '../currencies.ts';
import { formatMinor } from '../money.ts';
import {
  createRowReader,
  createStatementWriter,
  toFileLine,
  type ExportFormat,
  type ExportLocale,
  type StatementHead,
} from './index.ts';

const startMs = Date.parse('2026-01-10T12:00:00Z');
const lines = makeHoldLines(5, 400, startMs);
const moving = lines.filter(({ amountMinor }) => amountMinor !== 0n);
const heldClosingMinor = lines.at(-1)?.heldAfterMinor ?? 0n;

function write(
  format: ExportFormat,
  head: StatementHead,
  shown = lines,
  locale: ExportLocale = 'en',
): string {
  const writer = createStatementWriter(format, head, { locale, hasByteOrderMark: false });
  return writer.begin() + shown.map((line) => writer.line(line)).join('') + writer.end();
}

it('the model has lines that move no money, and a balance below zero', () => {
  expect(lines.length - moving.length).toBeGreaterThan(50);
  expect(moving.some(({ heldMinor = 0n }) => heldMinor < 0n)).toBe(true);
  expect(lines.some(({ balanceAfterMinor }) => balanceAfterMinor < 0n)).toBe(true);
});

describe.each(['BRL', 'JPY'])('a file in %s', (currency) => {
  const plain = headOf(currency, lines, 0, 'America/Sao_Paulo');
  const head = { ...plain, heldClosingMinor };
  const money = (minor: bigint): string => formatMinor(minor, exponentOf(currency));

  it.each([
    ['en', ',', 'held,held_balance'],
    ['pt-BR', ';', 'reservado,saldo_reservado'],
  ] as const)(
    'CSV (%s) with holds has two columns more, and all lines',
    (locale, delimiter, names) => {
      const rows = parse(write('csv', head, lines, locale), {
        delimiter,
        record_delimiter: '\r\n',
      });
      const without = parse(write('csv', plain, lines, locale), {
        ...{ delimiter, record_delimiter: '\r\n' },
      });
      expect(rows[0]?.slice(-2).join(',')).toBe(names);
      // The other columns stay what they are.
      expect(rows.map((row) => row.slice(0, -2))).toEqual(without);
      const decimal = (minor: bigint) => money(minor).replace('.', locale === 'en' ? '.' : ',');
      expect(rows.slice(1).map((row) => row.slice(-2))).toEqual(
        lines.map(({ heldMinor, heldAfterMinor = 0n }) => [
          heldMinor === undefined ? '' : decimal(heldMinor),
          decimal(heldAfterMinor),
        ]),
      );
      const debits = without.slice(1).filter((row) => row[4] === '' && row[5] === '');
      expect(debits).toHaveLength(lines.length - moving.length);
    },
  );

  it('JSON and NDJSON with holds say what is reserved, and others nothing', () => {
    type Shape = Record<string, string>;
    type Doc = { statement: Shape & { lines: Shape[] } };
    const { statement } = JSON.parse(write('json', head)) as unknown as Doc;
    expect(statement).toMatchObject({
      heldClosing: money(heldClosingMinor),
      availableClosing: money(head.closingMinor - heldClosingMinor),
    });
    const single = write('ndjson', head).trimEnd().split('\n');
    expect(single.map((text) => JSON.parse(text) as Shape)).toEqual(
      statement.lines.map((line) => ({ ...line, currency })),
    );
    statement.lines.forEach((shape, i) => {
      const { heldMinor, heldAfterMinor = 0n, amountMinor } = lines[i]!;
      expect(shape['held']).toBe(heldMinor === undefined ? undefined : money(heldMinor));
      expect(shape['heldBalance']).toBe(money(heldAfterMinor));
      expect('debit' in shape || 'credit' in shape).toBe(amountMinor !== 0n);
    });
    for (const format of ['json', 'ndjson'] as const) {
      expect(write(format, plain, moving)).not.toMatch(/held|available/);
    }
  });

  it('a journal has no line of a hold or release, whether or not they are shown', () => {
    const expected = write('hledger', plain, moving);
    expect(write('hledger', head)).toBe(expected);
    expect(write('hledger', plain)).toBe(expected);
  });
});

it('a row of COPY has what it reserves, and what is reserved since', () => {
  const { row, read } = createRowReader();
  for (const line of lines) {
    const { heldMinor = 0n, heldAfterMinor = 0n } = line;
    const more = { heldMinor, heldAfterMinor, parentUsedMinor: 7n, groupId: undefined };
    const bytes = toCopyRow(line, { more });
    read(bytes, 0, bytes.length);
    expect(toFileLine(row, line.seq)).toEqual(line);
  }
});
