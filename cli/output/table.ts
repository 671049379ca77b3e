import Table from 'cli-table3';

import type { Context } from '../context.ts';
import { paintFor } from '../terminal/reporter.ts';
import { toPlainLine } from '../terminal/plain.ts';

export type TableColumn = {
  readonly title: string;
  readonly align?: 'right';
  /** The first to give way where the terminal is too narrow for everything. */
  readonly isId?: true;
  /** The next to give way. */
  readonly isFlexible?: true;
  /** Shown of one object, but too much for a list. */
  readonly isCardOnly?: true;
};

type Writer = Pick<Context, 'io' | 'manner'>;

/** How many columns of a terminal a text takes. */
type TextWidth = (text: string) => number;

/** Each of these characters takes one column. */
const narrowText = /^[\x20-\x7e\u00c0-\u024f\u2026]*$/;

/** Measures texts like these. The library for all of Unicode loads only where they need it. */
export async function loadTextWidth(rows: readonly (readonly string[])[]): Promise<TextWidth> {
  if (rows.every((row) => row.every((text) => narrowText.test(text)))) return (text) => text.length;
  const { default: stringWidth } = await import('string-width');
  return stringWidth;
}

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
  middle: '  ',
};

/**
 * Rows under titles, as text. Cells are stripped of control characters; colours appear on a
 * terminal only, so that a piped table is plain text.
 */
export function formatTable(
  { io, manner }: Writer,
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  widthOf: TextWidth,
): string {
  const chalk = paintFor(io.stdout, manner);
  const allCells = rows.map((row) => row.map(toPlainLine));
  const layout = layOut(columns, allCells, io.stdout.columns, widthOf);
  const isShown = (_: unknown, index: number): boolean => layout[index] !== 'dropped';
  const shown = columns.filter(isShown);
  const cells = allCells.map((row) => row.filter(isShown));
  const table = new Table({
    head: shown.map(({ title }) => chalk.bold(title)),
    colAligns: shown.map(({ align }) => align ?? 'left'),
    colWidths: layout.filter(isShown).map((width) => (typeof width === 'number' ? width : null)),
    chars: noLines,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...cells);
  return trimLines(table.toString());
}

/** How wide a column is, that it has room for all of its content, or that it is left out. */
type ColumnLayout = number | 'whole' | 'dropped';

const gapWidth = 2;
const cutIdWidth = 9;
const flexibleWidth = 12;

/**
 * Fits columns into a terminal: ids are cut to their beginnings, then the flexible ones; then ids
 * are left out, and then the flexible ones. The rest is never cut. A pipe has room for everything.
 */
export function layOut(
  columns: readonly TableColumn[],
  cells: readonly (readonly string[])[],
  terminalColumns: number | undefined,
  widthOf: TextWidth,
): readonly ColumnLayout[] {
  const natural = columns.map(({ title }, index) =>
    cells.reduce((width, row) => Math.max(width, widthOf(row[index] ?? '')), title.length),
  );
  const widths: (number | undefined)[] = [...natural];
  const findExcess = (): number => {
    const left = widths.filter((width) => width !== undefined);
    const gaps = gapWidth * Math.max(left.length - 1, 0);
    const total = left.reduce((sum, width) => sum + width, gaps);
    return total - (terminalColumns ?? Number.POSITIVE_INFINITY);
  };
  const cut = (key: 'isId' | 'isFlexible', leastWidth: number): void => {
    columns.forEach((column, index) => {
      const width = widths[index];
      if (!column[key] || width === undefined || width <= leastWidth) return;
      widths[index] = Math.max(leastWidth, width - Math.max(findExcess(), 0));
    });
  };
  const drop = (key: 'isId' | 'isFlexible'): void => {
    columns.forEach((column, index) => {
      if (column[key] && findExcess() > 0) widths[index] = undefined;
    });
  };
  cut('isId', cutIdWidth);
  cut('isFlexible', flexibleWidth);
  drop('isId');
  drop('isFlexible');
  return widths.map((width, index) =>
    width === undefined ? 'dropped' : width === natural[index] ? 'whole' : width,
  );
}

function trimLines(text: string): string {
  return text
    .split('\n')
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}
