import { failUsage, succeed, type Outcome } from '../outcome.ts';
import type { OutputFormat } from '../config/settings.ts';
import { suggest } from '../../lib/suggest.ts';
import { groupThousands } from './amount.ts';
import type { Column } from './print.ts';

/** What a user asked of a list's columns: `--wide` and `--columns`. */
export type ViewOptions = {
  readonly wide?: boolean;
  readonly columns?: string;
};

/** The columns of a list, and how a table of them behaves where the terminal is too narrow. */
export type View<Row> = {
  readonly columns: readonly Column<Row>[];
  readonly isWide: boolean;
  /** They were chosen by name, so that none may be left out. */
  readonly areChosen: boolean;
};

/** The columns that `--columns` names, in that order; without it those that there are. */
export function chooseColumns<Row>(
  columns: readonly Column<Row>[],
  options: ViewOptions,
  output: OutputFormat | 'hledger',
): Outcome<View<Row>> {
  const isWide = options.wide === true;
  if (options.columns === undefined) return succeed({ columns, isWide, areChosen: false });
  if (output !== 'table' && output !== 'csv') {
    const message = `--columns is for tables and CSV; ${output} has all fields under their own names`;
    return failUsage('columns', message, 'leave out --columns, or use -o csv');
  }
  const chosen: Column<Row>[] = [];
  for (const name of options.columns.split(',').map((text) => text.trim())) {
    const column = columns.find((candidate) => namesOf(candidate).includes(toName(name)));
    if (!column) return failUnknownColumn(name, columns);
    if (chosen.includes(column)) return failUsage('columns', `${JSON.stringify(name)} comes twice`);
    chosen.push(column);
  }
  return succeed({ columns: chosen.map(toShown), isWide, areChosen: true });
}

const toName = (text: string): string => text.toLowerCase().replaceAll(/[ -]/g, '_');

/** By its header in CSV or by its title in tables, where no other column has that header. */
const namesOf = ({ header, table }: Column<never>): readonly string[] =>
  table ? [header, toName(table.title)] : [header];

function failUnknownColumn<Row>(name: string, columns: readonly Column<Row>[]): Outcome<never> {
  const names = columns.map(({ header }) => header);
  return failUsage(
    'columns',
    `${JSON.stringify(name)} is not a column; the columns are ${names.join(', ')}`,
    suggest(toName(name), [...new Set(columns.flatMap(namesOf))]),
  );
}

/** A column that is data only, or a card's, has a place in a table once it is asked for. */
function toShown<Row>(column: Column<Row>): Column<Row> {
  const { table, header, value } = column;
  if (!table) {
    const cell = (row: Row): string => String(value(row) ?? '');
    return { ...column, table: { title: header.toUpperCase().replaceAll('_', ' '), cell } };
  }
  const { isCardOnly: _card, isHiddenIfEmpty: _hidden, listCell, ...shown } = table;
  // What goes without saying is said where it was asked for.
  const fill = (row: Row): string => {
    const text = String(value(row) ?? '');
    return table.align === 'right' ? groupThousands(text) : text;
  };
  return {
    ...column,
    table: {
      ...shown,
      cell: (row) => table.cell(row) ?? fill(row),
      ...(listCell && { listCell: (row: Row) => listCell(row) ?? fill(row) }),
    },
  };
}
