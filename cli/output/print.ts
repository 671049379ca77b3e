import type { Context } from '../context.ts';
import { formatCsvHeader, formatCsvRows, type CsvColumn } from './csv.ts';
import { formatFields } from './fields.ts';
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

/** A JSON document, or the fields of it that `--field` chose. */
export function formatData({ io, manner }: Writer, value: unknown): string {
  return manner.fields ? formatFields(io.stdout, manner.fields, value) : formatJson(value);
}

export function formatJson(value: unknown): string {
  return `${toJsonText(value, 2)}\n`;
}
