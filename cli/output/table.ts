import Table from 'cli-table3';

import type { Context } from '../context.ts';
import { paintFor } from '../terminal/reporter.ts';
import { toPlainLine } from '../terminal/plain.ts';
import { gapWidth, layOut, type LayoutColumn, type LayoutOptions } from './layout.ts';
import { cutText, loadTextWidth, type TextWidth } from './text-width.ts';

export type TableColumn = LayoutColumn & {
  readonly title: string;
  readonly align?: 'right';
  /** Shown of one object, but too much for a list. */
  readonly isCardOnly?: true;
  /** Left out where no row of the first page has a value. */
  readonly isHiddenIfEmpty?: true;
};

type Writer = Pick<Context, 'io' | 'manner'>;
type Rows = readonly (readonly string[])[];

/** A table that is written row by row: the first rows decide how wide its columns are. */
export type TableWriter = {
  /** The text of these rows; before the first ones stand the titles. */
  addRows(rows: Rows): Promise<string>;
  /** The titles of what the terminal has no room for, once there were rows. */
  dropped(): readonly string[];
};

type PlacedColumn = TableColumn & { readonly index: number; readonly width: number };

const noLines = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: ' '.repeat(gapWidth),
};

/**
 * Cells are stripped of control characters; colours appear on a terminal only, so that a piped
 * table is plain text. The library draws the titles. It takes 0.1 ms for a row, and longer the more
 * rows there are, so that the rows are written without it (decision 75).
 */
export function createTableWriter(
  writer: Writer,
  columns: readonly TableColumn[],
  { room, canDrop }: LayoutOptions,
): TableWriter {
  let placed: readonly PlacedColumn[] | undefined;
  let droppedTitles: readonly string[] = [];
  const place = (cells: Rows, widthOf: TextWidth): readonly PlacedColumn[] => {
    const shown = columns
      .map((column, index) => ({ ...column, index }))
      .filter(
        ({ isHiddenIfEmpty, index }) =>
          !isHiddenIfEmpty || cells.some((row) => (row[index] ?? '') !== ''),
      );
    const natural = shown.map(({ title, index }) =>
      cells.reduce((width, row) => Math.max(width, widthOf(row[index] ?? '')), title.length),
    );
    const layout = layOut(shown, natural, { room, canDrop });
    droppedTitles = shown.filter((_, at) => layout[at] === undefined).map(({ title }) => title);
    return shown.flatMap((column, at) => {
      const width = layout[at];
      return width === undefined ? [] : [{ ...column, width }];
    });
  };
  return {
    addRows: async (rows) => {
      const cells = rows.map((row) => row.map(toPlainLine));
      const widthOf = await loadTextWidth(cells);
      const isFirst = placed === undefined;
      placed ??= place(cells, widthOf);
      const text = { columns: placed, canCut: room !== undefined, widthOf };
      const body = cells.map((row) => formatRow(row, text)).join('');
      return isFirst ? formatTitles(writer, placed) + body : body;
    },
    dropped: () => droppedTitles,
  };
}

/** The line of titles. */
function formatTitles({ io, manner }: Writer, columns: readonly PlacedColumn[]): string {
  const chalk = paintFor(io.stdout, manner);
  const table = new Table({
    colAligns: columns.map(({ align }) => align ?? 'left'),
    colWidths: columns.map(({ width }) => width),
    chars: noLines,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(columns.map(({ title }) => chalk.bold(title)));
  return `${table.toString().trimEnd()}\n`;
}

type RowStyle = {
  readonly columns: readonly PlacedColumn[];
  readonly canCut: boolean;
  readonly widthOf: TextWidth;
};

/**
 * One line. A text that is longer than its column and must not be cut shifts those behind it only
 * as far as they have no blanks to give.
 */
function formatRow(row: readonly string[], { columns, canCut, widthOf }: RowStyle): string {
  let line = '';
  let excess = 0;
  for (const { index, width, align, isFlexible, shorterWidths } of columns) {
    let text = row[index] ?? '';
    if (canCut && isFlexible) text = cutText(text, Math.max(width - excess, 1), widthOf);
    else if (canCut && shorterWidths?.includes(width)) text = text.slice(0, width);
    const blanks = width - excess - widthOf(text);
    const fill = ' '.repeat(Math.max(blanks, 0));
    line += (align === 'right' ? fill + text : text + fill) + noLines.middle;
    excess = Math.max(-blanks, 0);
  }
  return `${line.trimEnd()}\n`;
}
