import type { Context } from '../context.ts';
import { toPlainLine } from '../terminal/plain.ts';
import { paintFor } from '../terminal/reporter.ts';

/** Labels and values, one a line, as text. Values that are undefined are left out. */
export function formatCard(
  { io, manner }: Pick<Context, 'io' | 'manner'>,
  fields: readonly (readonly [label: string, value: string | undefined])[],
): string {
  const chalk = paintFor(io.stdout, manner);
  const shown = fields.filter((field): field is [string, string] => field[1] !== undefined);
  const width = Math.max(...shown.map(([label]) => label.length));
  return shown
    .map(([label, value]) => `${chalk.dim(label.padEnd(width))}  ${toPlainLine(value)}\n`)
    .join('');
}
