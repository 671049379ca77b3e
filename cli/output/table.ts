import Table from 'cli-table3';

import { stripControls } from '../../core/text.ts';
import type { Context } from '../context.ts';
import { paintFor } from '../tell.ts';

export type TableColumn = {
  readonly title: string;
  readonly align?: 'right';
  /** Gives way where the terminal is too narrow for everything. */
  readonly isFlexible?: true;
  /** Shown of one object, but too much for a list. */
  readonly isCardOnly?: true;
};

type Writer = Pick<Context, 'io' | 'manner'>;

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
): string {
  const chalk = paintFor(io.stdout, manner);
  const cells = rows.map((row) => row.map(stripControls));
  const table = new Table({
    head: columns.map(({ title }) => chalk.bold(title)),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    colWidths: chooseWidths(columns, cells, io.stdout.columns),
    chars: noLines,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...cells);
  return trimLines(table.toString());
}

/** Labels and values, one a line, as text. Values that are undefined are left out. */
export function formatCard(
  { io, manner }: Writer,
  fields: readonly (readonly [label: string, value: string | undefined])[],
): string {
  const chalk = paintFor(io.stdout, manner);
  const shown = fields.filter((field): field is [string, string] => field[1] !== undefined);
  const width = Math.max(...shown.map(([label]) => label.length));
  return shown
    .map(([label, value]) => `${chalk.dim(label.padEnd(width))}  ${stripControls(value)}\n`)
    .join('');
}

/** Undefined entries fit their content; a flexible column takes what the terminal has left. */
function chooseWidths(
  columns: readonly TableColumn[],
  cells: readonly (readonly string[])[],
  terminalColumns: number | undefined,
): (number | null)[] {
  const widths: (number | null)[] = columns.map(() => null);
  const flexible = columns.findIndex(({ isFlexible }) => isFlexible);
  if (terminalColumns === undefined || flexible < 0) return widths;
  const natural = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const others = natural.reduce((sum, width, index) => sum + (index === flexible ? 0 : width), 0);
  const left = terminalColumns - others - 2 * (columns.length - 1);
  if ((natural[flexible] ?? 0) > left) widths[flexible] = Math.max(left, 12);
  return widths;
}

function trimLines(text: string): string {
  return text
    .split('\n')
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}
