import type { Context } from '../context.ts';
import { formatCsvHeader, formatCsvRows, type CsvColumn } from './csv.ts';
import { formatFields, formatItemFields } from './fields.ts';
import { toJsonText } from '../terminal/plain.ts';
import { formatCard } from './card.ts';
import type { TableColumn } from './table.ts';

/** One column of a list or one field of an object, in every format but JSON. */
export type Column<Row> = CsvColumn<Row> & {
  readonly table?: TableColumn & {
    readonly cell: (row: Row) => string | undefined;
    /** What a list shows, where that is not what a card does. */
    readonly listCell?: (row: Row) => string | undefined;
  };
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
      await stdout.write(formatData(writer, toJson(row)));
      return;
    case 'ndjson':
      await stdout.write(`${toJsonText(toJson(row))}\n`);
      return;
    case 'csv':
      await stdout.write(formatCsvHeader(columns) + formatCsvRows(stdout, columns, [row]));
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
  /**
   * `ifEmpty` is said, in a table, where there was no row; `more` is for JSON, beside the items.
   */
  end(nextPageToken: string | undefined, ifEmpty: string, more?: object): Promise<void>;
};

export function createListPrinter<Row>(
  writer: Writer & Pick<Context, 'reporter'>,
  columns: readonly Column<Row>[],
  toJson: (row: Row) => unknown,
): ListPrinter<Row> {
  const { stdout, stderr } = writer.io;
  const { output, fields } = writer.manner;
  const isOfItems = fields?.every(({ itemPath }) => itemPath !== undefined);
  const kept: Row[] = [];
  let hasHeader = false;
  const startCsv = async (): Promise<void> => {
    if (output === 'csv' && !hasHeader) await stdout.write(formatCsvHeader(columns));
    hasHeader = true;
  };
  return {
    add: async (rows) => {
      if (fields) {
        if (isOfItems) await stdout.write(formatItemFields(stdout, fields, rows.map(toJson)));
      } else if (output === 'ndjson') {
        await stdout.write(rows.map((row) => `${toJsonText(toJson(row))}\n`).join(''));
      } else if (output === 'csv') {
        await startCsv();
        await stdout.write(formatCsvRows(stdout, columns, rows));
      } else {
        kept.push(...rows);
      }
    },
    end: async (nextPageToken, ifEmpty, more = {}) => {
      await startCsv();
      if (fields) {
        const list = { nextPageToken, ...more };
        if (!isOfItems) await stdout.write(formatFields(stdout, fields, list));
      } else if (output === 'json') {
        await stdout.write(formatJson({ items: kept.map(toJson), nextPageToken, ...more }));
      } else if (output === 'table' && kept.length > 0) {
        await stdout.write(await formatRows(writer, columns, kept));
        if (await hasCutIds(writer, columns, kept)) await writer.reporter.hint(cutIdsHint);
      } else if (output === 'table' && stderr.isTerminal && !writer.manner.isQuiet) {
        await stderr.write(`${ifEmpty}\n`);
      }
    },
  };
}

/** A table of the columns that have a `table`. The library for tables loads with the first one. */
export async function formatRows<Row>(
  writer: Writer,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Promise<string> {
  const { shown, cells } = fillCells(columns, rows);
  const { formatTable, loadTextWidth } = await import('./table.ts');
  return formatTable(writer, shown, cells, await loadTextWidth(cells));
}

const cutIdsHint = 'ids are shortened to fit: widen the terminal or use -o ndjson for full ids';

/** Ids are often copied into the next command. */
async function hasCutIds<Row>(
  { io }: Writer,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Promise<boolean> {
  const { shown, cells } = fillCells(columns, rows);
  const { layOut, loadTextWidth } = await import('./table.ts');
  const layout = layOut(shown, cells, io.stdout.columns, await loadTextWidth(cells));
  return shown.some(({ isId }, index) => isId && layout[index] !== 'whole');
}

function fillCells<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): { readonly shown: readonly TableColumn[]; readonly cells: string[][] } {
  const shown = columns.flatMap(({ table }) => (table && !table.isCardOnly ? [table] : []));
  const cells = rows.map((row) => shown.map(({ cell, listCell = cell }) => listCell(row) ?? ''));
  return { shown, cells };
}

/** A JSON document, or the fields of it that `--field` chose. */
export function formatData({ io, manner }: Writer, value: unknown): string {
  return manner.fields ? formatFields(io.stdout, manner.fields, value) : formatJson(value);
}

function formatJson(value: unknown): string {
  return `${toJsonText(value, 2)}\n`;
}
