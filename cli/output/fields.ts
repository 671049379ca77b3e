import { failUsage, succeed, type Outcome } from '../outcome.ts';
import type { Field } from '../terminal/field.ts';
import type { TextOutput } from '../terminal/io.ts';
import { toJsonText, toPlainLine } from '../terminal/plain.ts';
import type { JsonPaths } from './json-fields.ts';

const itemsPrefix = 'items[]';

/**
 * Reads `--field id,amount --field items.id` against the paths that a command's JSON has. A field of
 * the items of a list needs no `items.` before it. USAGE for any other field, with those that there
 * are, and for fields that cannot be on the same line.
 */
export function readFields(
  texts: readonly string[],
  known: JsonPaths,
  command: string,
): Outcome<readonly Field[]> {
  if (known.length === 0) return failUsage('field', `wallet ${command} has no fields to choose`);
  const fields: Field[] = [];
  for (const name of texts.flatMap((text) => text.split(',')).map((text) => text.trim())) {
    const field = findField(name, known);
    if (!field) {
      const names = known.map((path) => path.replaceAll('[]', '')).join(', ');
      const message = `${JSON.stringify(name)} is not a field of wallet ${command}; there are: ${names}`;
      return failUsage('field', message);
    }
    fields.push(field);
  }
  const arrays = new Set(fields.map(({ path }) => arrayOf(path)).filter((path) => path !== ''));
  const isOfItems = new Set(fields.map(({ itemPath }) => itemPath !== undefined));
  const hasItems = known.some((path) => path.startsWith(itemsPrefix));
  if (arrays.size > 1 || (hasItems && isOfItems.size > 1)) {
    return failUsage('field', 'must be of the same list, or none of any: run the command twice');
  }
  return succeed(fields);
}

function findField(name: string, known: JsonPaths): Field | undefined {
  const path = findPath(name, known);
  if (path === 'items') return { path, itemPath: '' };

  const ofItems = path?.startsWith(itemsPrefix) ? path : findPath(`items.${name}`, known);
  const itemPath = ofItems?.startsWith(`${itemsPrefix}.`)
    ? ofItems.slice(itemsPrefix.length + 1)
    : undefined;
  return path === undefined && itemPath === undefined ? undefined : { path, itemPath };
}

/** The marked path of a name: of a leaf, of an object with leaves below, or of an open object. */
function findPath(name: string, known: JsonPaths): string | undefined {
  if (name === '') return undefined;
  for (const path of known) {
    const plain = path.replaceAll('[]', '');
    if (plain === name) return path;
    if (plain.startsWith(`${name}.`)) return cutPath(path, name.split('.').length);
    const open = plain.endsWith('.*') ? plain.slice(0, -1) : undefined;
    if (open !== undefined && name.startsWith(open)) {
      return path.slice(0, -1) + name.slice(open.length);
    }
  }
  return undefined;
}

const cutPath = (path: string, parts: number): string =>
  path.split('.').slice(0, parts).join('.').replace(/\[\]$/, '');

/** The array whose elements a path is of; empty if it is of none. */
const arrayOf = (path = ''): string => path.slice(0, Math.max(0, path.lastIndexOf('[]')));

/**
 * The chosen fields of one JSON value: a line for each element of the list that they are of, else
 * one line, with a tab between several fields. A single text of a single value is written as it is;
 * elsewhere a backslash, tab or line break within a text is written as `\\`, `\t`, `\n` or `\r`, so
 * that each line is one row.
 */
export function formatFields(
  stdout: Pick<TextOutput, 'isTerminal'>,
  fields: readonly Field[],
  value: unknown,
): string {
  const [first] = fields;
  const array = fields.map(({ path }) => arrayOf(path)).find((path) => path !== '') ?? '';
  if (array === '' && fields.length === 1) return formatOne(stdout, valueAt(value, first?.path));
  const elements = array === '' ? [undefined] : valueAt(value, array);
  return (Array.isArray(elements) ? elements : [])
    .map((element: unknown) =>
      formatRow(
        stdout,
        fields.map(({ path = '' }) =>
          array !== '' && path.startsWith(`${array}[].`)
            ? valueAt(element, path.slice(array.length + 3))
            : valueAt(value, path),
        ),
      ),
    )
    .join('');
}

/** The chosen fields of the items of a list, a line for each. */
export function formatItemFields(
  stdout: Pick<TextOutput, 'isTerminal'>,
  fields: readonly Field[],
  items: readonly unknown[],
): string {
  return items
    .map((item) =>
      formatRow(
        stdout,
        fields.map(({ itemPath }) => valueAt(item, itemPath)),
      ),
    )
    .join('');
}

function formatOne(stdout: Pick<TextOutput, 'isTerminal'>, value: unknown): string {
  if (Array.isArray(value) && value.every((element) => typeof element !== 'object')) {
    return value.map((element) => formatRow(stdout, [element])).join('');
  }
  const text = toText(value);
  return `${stdout.isTerminal ? toPlainLine(text) : text}\n`;
}

function formatRow(stdout: Pick<TextOutput, 'isTerminal'>, values: readonly unknown[]): string {
  const cells = values.map(toText).map(escapeBreaks);
  return `${(stdout.isTerminal ? cells.map(toPlainLine) : cells).join('\t')}\n`;
}

const breaks: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
};

const escapeBreaks = (text: string): string =>
  text.replace(/[\\\t\n\r]/g, (character) => breaks[character] ?? character);

function toText(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : toJsonText(value);
}

function valueAt(value: unknown, path: string | undefined): unknown {
  if (path === undefined) return undefined;
  let found = value;
  for (const key of path === '' ? [] : path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[key];
  }
  return found;
}
