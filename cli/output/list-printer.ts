import type { Context } from '../context.ts';
import { toJsonText } from '../terminal/plain.ts';
import { formatCsvHeader, formatCsvRows } from './csv.ts';
import { formatFields, formatItemFields } from './fields.ts';
import type { Field } from '../terminal/field.ts';
import { createJsonArray, formatJsonRest } from './json-list.ts';
import type { View } from './choose-columns.ts';
import type { Column } from './print.ts';
import type { TableColumn, TableWriter } from './table.ts';

/**
 * Prints a list as it comes, in every format: nothing is kept, so that a list of any length takes
 * the same memory. A list that ends early is a JSON document that is not complete.
 */
export type ListPrinter<Row> = {
  add(rows: readonly Row[]): Promise<void>;
  /**
   * `ifEmpty` is said, in a table, where there was no row; `more` is for JSON, beside the items.
   */
  end(nextPageToken: string | undefined, ifEmpty: string, more?: object): Promise<void>;
};

type Writer = Pick<Context, 'io' | 'manner' | 'reporter'>;

/** A printer in the format that the command line asks for. */
export function createListPrinter<Row>(
  writer: Writer,
  view: View<Row>,
  toJson: (row: Row) => unknown,
): ListPrinter<Row> {
  const { fields, output } = writer.manner;
  if (fields) return createFieldPrinter(writer, fields, toJson);
  switch (output) {
    case 'json':
      return createJsonPrinter(writer, toJson);
    case 'ndjson':
      return {
        add: (rows) =>
          writer.io.stdout.write(rows.map((row) => `${toJsonText(toJson(row))}\n`).join('')),
        end: () => Promise.resolve(),
      };
    case 'csv':
      return createCsvPrinter(writer, view.columns);
    case 'table':
      return createTablePrinter(writer, view);
  }
}

/** The fields that `--field` chose: of each item, or of what stands beside the items. */
function createFieldPrinter<Row>(
  { io: { stdout } }: Writer,
  fields: readonly Field[],
  toJson: (row: Row) => unknown,
): ListPrinter<Row> {
  const areOfItems = fields.every(({ itemPath }) => itemPath !== undefined);
  return {
    add: async (rows) => {
      if (areOfItems) await stdout.write(formatItemFields(stdout, fields, rows.map(toJson)));
    },
    end: async (nextPageToken, _ifEmpty, more = {}) => {
      if (!areOfItems) await stdout.write(formatFields(stdout, fields, { nextPageToken, ...more }));
    },
  };
}

/** `{ "items": [ … ], "nextPageToken": … }` */
function createJsonPrinter<Row>(
  { io: { stdout } }: Writer,
  toJson: (row: Row) => unknown,
): ListPrinter<Row> {
  const items = createJsonArray(2);
  let hasBegun = false;
  const begin = (): string => {
    const text = hasBegun ? '' : '{\n  "items": ';
    hasBegun = true;
    return text;
  };
  return {
    add: async (rows) => {
      if (rows.length > 0) await stdout.write(begin() + items.add(rows.map(toJson)));
    },
    end: async (nextPageToken, _ifEmpty, more = {}) => {
      const rest = formatJsonRest({ nextPageToken, ...more });
      await stdout.write(begin() + items.end() + rest);
    },
  };
}

function createCsvPrinter<Row>(
  { io: { stdout } }: Writer,
  columns: readonly Column<Row>[],
): ListPrinter<Row> {
  let hasHeader = false;
  const add = async (rows: readonly Row[]): Promise<void> => {
    const header = hasHeader ? '' : formatCsvHeader(columns);
    hasHeader = true;
    await stdout.write(header + formatCsvRows(stdout, columns, rows));
  };
  return {
    add,
    end: async () => {
      if (!hasHeader) await add([]);
    },
  };
}

function createTablePrinter<Row>(writer: Writer, view: View<Row>): ListPrinter<Row> {
  const { stdout, stderr } = writer.io;
  const table = openTable(writer, view);
  let isEmpty = true;
  return {
    add: async (rows) => {
      if (rows.length === 0) return;
      isEmpty = false;
      await stdout.write(await table.addRows(rows));
    },
    end: async (_nextPageToken, ifEmpty) => {
      if (isEmpty && stderr.isTerminal && !writer.manner.isQuiet) {
        await stderr.write(`${ifEmpty}\n`);
      }
      await noteDropped(writer.reporter, table.dropped());
    },
  };
}

/** Names the columns that the terminal had no room for. */
export async function noteDropped(
  reporter: Context['reporter'],
  titles: readonly string[],
): Promise<void> {
  if (titles.length === 0) return;
  await reporter.note(
    `the terminal is too narrow for ${titles.join(', ')}: add --wide, or choose with --columns`,
  );
}

/** A table of rows of any type. */
type RowTable<Row> = {
  addRows(rows: readonly Row[]): Promise<string>;
  dropped(): readonly string[];
};

/** Opens a table of the columns that have a `table`. Its libraries load with the first row. */
export function openTable<Row>(
  writer: Pick<Context, 'io' | 'manner'>,
  { columns, isWide, areChosen }: View<Row>,
): RowTable<Row> {
  const shown = columns.flatMap(({ table }): (TableColumn & CellsOf<Row>)[] =>
    table && !table.isCardOnly ? [table] : [],
  );
  let table: TableWriter | undefined;
  const open = async (): Promise<TableWriter> => {
    const { createTableWriter } = await import('./table.ts');
    const room = isWide ? undefined : writer.io.stdout.columns;
    return createTableWriter(writer, shown, { room, canDrop: !areChosen });
  };
  return {
    addRows: async (rows) => {
      table ??= await open();
      const cells = rows.map((row) =>
        shown.map(({ cell, listCell = cell }) => listCell(row) ?? ''),
      );
      return table.addRows(cells);
    },
    dropped: () => table?.dropped() ?? [],
  };
}

type CellsOf<Row> = Pick<NonNullable<Column<Row>['table']>, 'cell' | 'listCell'>;

/** A table of a few rows, as text. */
export function formatRows<Row>(
  writer: Pick<Context, 'io' | 'manner'>,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Promise<string> {
  return openTable(writer, { columns, isWide: false, areChosen: false }).addRows(rows);
}
