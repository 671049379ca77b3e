import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';

import { formatCsvHeader, formatCsvRows, type CsvColumn } from './csv.ts';

type Row = { readonly text: string; readonly amount: string };
const columns: readonly CsvColumn<Row>[] = [
  { header: 'text', value: ({ text }) => text, isText: true },
  { header: 'amount', value: ({ amount }) => amount },
];

const pipe = { isTerminal: false };

describe('CSV', () => {
  test.each(['=1+1', '＝1+1', '\n=1+1', '\ufeff=1+1'])('CSV cell %j is no formula', (text) => {
    const written =
      formatCsvHeader(columns) + formatCsvRows(pipe, columns, [{ text, amount: text }]);
    const rows: unknown = parse(written, { columns: true, record_delimiter: '\r\n' });
    expect(rows).toEqual([{ text: `'${text}`, amount: `'${text}` }]);
  });

  test('a negative amount in CSV gets no apostrophe', () => {
    expect(formatCsvRows(pipe, columns, [{ text: '-5', amount: '-5.00' }])).toBe("'-5,-5.00\r\n");
  });

  test('CSV follows RFC 4180: CR LF, doubled quotes, and quoted line breaks', () => {
    const rows: Row[] = [
      { text: 'a,b', amount: '1' },
      { text: 'say "hi"', amount: '2' },
      { text: 'two\nlines', amount: '3' },
      { text: 'two\rlines', amount: '4' },
      { text: 'two\r\nlines', amount: '5' },
      { text: '', amount: '6' },
    ];
    const text = formatCsvHeader(columns) + formatCsvRows(pipe, columns, rows);
    expect(text.startsWith('text,amount\r\n"a,b",1\r\n"say ""hi""",2\r\n"two\nlines",3\r\n')).toBe(
      true,
    );
    expect(parse(text, { columns: true, record_delimiter: '\r\n' })).toEqual(rows);
  });
});
