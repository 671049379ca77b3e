import type { Context } from '../context.ts';
import { formatCsvHeader, formatCsvRows, type CsvColumn } from './csv.ts';
import { formatCard, formatTable, type TableColumn } from './table.ts';

/** One column of a list or one field of an object, in every format but JSON. */
export type Column<Row> = CsvColumn<Row> & {
  readonly table?: TableColumn & { readonly cell: (row: Row) => string | undefined };
};

type Writer = Pick<Context, 'io' | 'manner'>;

/** Prints one object: a card, its JSON, or CSV of one row. */
export async function printObject<Row>(
  writer: Writer,
  row: Row,
  columns: readonly Column<Row>[],
  toJson: (row: Row) => unknown,
): Promise<void> {
  const { stdout } = writer.io;
  switch (writer.manner.output) {
    case 'json':
      await stdout.write(formatJson(toJson(row)));
      return;
    case 'ndjson':
      await stdout.write(`${JSON.stringify(toJson(row))}\n`);
      return;
    case 'csv':
      await stdout.write(formatCsvHeader(columns) + formatCsvRows(columns, [row]));
      return;
    case 'table':
      await stdout.write(
        formatCard(
          writer,
          columns.flatMap(({ table }) =>
            table ? [[table.title.toLowerCase(), table.cell(row)] as const] : [],
          ),
        ),
      );
  }
}

/** Prints a list as it comes: rows of CSV and NDJSON at once, a table and JSON at the end. */
export type ListPrinter<Row> = {
  add(rows: readonly Row[]): Promise<void>;
  /** `ifEmpty` is said, in a table, where there was no row. */
  end(nextPageToken: string | undefined, ifEmpty: string): Promise<void>;
};

export function createListPrinter<Row>(
  writer: Writer,
  columns: readonly Column<Row>[],
  toJson: (row: Row) => unknown,
): ListPrinter<Row> {
  const { stdout, stderr } = writer.io;
  const { output } = writer.manner;
  const kept: Row[] = [];
  let hasHeader = false;
  const startCsv = async (): Promise<void> => {
    if (output === 'csv' && !hasHeader) await stdout.write(formatCsvHeader(columns));
    hasHeader = true;
  };
  return {
    add: async (rows) => {
      if (output === 'ndjson') {
        await stdout.write(rows.map((row) => `${JSON.stringify(toJson(row))}\n`).join(''));
      } else if (output === 'csv') {
        await startCsv();
        await stdout.write(formatCsvRows(columns, rows));
      } else {
        kept.push(...rows);
      }
    },
    end: async (nextPageToken, ifEmpty) => {
      await startCsv();
      if (output === 'json') {
        await stdout.write(formatJson({ items: kept.map(toJson), nextPageToken }));
      } else if (output === 'table' && kept.length > 0) {
        await stdout.write(formatRows(writer, columns, kept));
      } else if (output === 'table' && stderr.isTerminal && !writer.manner.isQuiet) {
        await stderr.write(`${ifEmpty}\n`);
      }
    },
  };
}

/** A table of the columns that have a place in one. */
export function formatRows<Row>(
  writer: Writer,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): string {
  const shown = columns.flatMap(({ table }) => (table && !table.isCardOnly ? [table] : []));
  return formatTable(
    writer,
    shown,
    rows.map((row) => shown.map(({ cell }) => cell(row) ?? '')),
  );
}

export function formatJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
