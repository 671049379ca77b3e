import { formatCsvRow, neutraliseFormula, quoteCsvCell } from '../../core/csv-cell.ts';
import type { TextOutput } from '../terminal/io.ts';
import { toPlainLine } from '../terminal/plain.ts';

export type CsvColumn<Row> = {
  readonly header: string;
  readonly value: (row: Row) => string | number | undefined;
  /** Written by people: even what looks like a number is text here. */
  readonly isText?: true;
};

/**
 * Rows of RFC 4180, each line ended by CR LF; the header is a row of its own. A terminal gets
 * cells that cannot steer it, a file or a pipe each text as it is.
 */
export function formatCsvRows<Row>(
  stream: Pick<TextOutput, 'isTerminal'>,
  columns: readonly CsvColumn<Row>[],
  rows: readonly Row[],
): string {
  return write(
    rows.map((row) =>
      columns.map(({ value, isText }) => {
        const whole = String(value(row) ?? '');
        const text = stream.isTerminal ? toPlainLine(whole) : whole;
        // Whatever a server sends in place of a number or an id is text, too.
        return isText || !isNumber(text) ? neutraliseFormula(text) : text;
      }),
    ),
  );
}

export function formatCsvHeader<Row>(columns: readonly CsvColumn<Row>[]): string {
  return write([columns.map(({ header }) => header)]);
}

const isNumber = (text: string): boolean => /^-?\d+(?:\.\d+)?$/.test(text);

const write = (rows: readonly (readonly string[])[]): string =>
  rows.map((cells) => formatCsvRow(cells.map((cell) => quoteCsvCell(cell)))).join('');
