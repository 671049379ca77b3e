import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { settings } from '../../daemon/config/settings.ts';

const root = join(import.meta.dirname, '../..');
const paths = ['core', 'daemon', 'tests'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) =>
    join(folder, path),
  ),
);
const source = paths
  .filter((path) => /^(core|daemon)\/.*\.ts$/.test(path) && !path.endsWith('.test.ts'))
  .map((path) => readFileSync(join(root, path), 'utf8'))
  .join('\n');

type Row = { readonly cells: readonly string[]; readonly columns: readonly string[] };

/** The rows of the tables whose last column says which test shows them. */
function readRows(): Row[] {
  const rows: Row[] = [];
  let columns: readonly string[] = [];
  for (const line of readFileSync(join(root, 'docs/operations.md'), 'utf8').split('\n')) {
    const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    if (!line.startsWith('|')) columns = [];
    else if (cells.at(-2) === 'shown by') columns = cells;
    else if (columns.length > 0 && !/^-+$/.test(cells[1] ?? '')) rows.push({ cells, columns });
  }
  return rows;
}

const quotedIn = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, t = '']) => t);

const rows = readRows();
const faults = rows.filter(({ columns }) => columns[1] === 'fault');
/** No text of ours, or put together from several: the tests that the row names look at those. */
const others: readonly RegExp[] = [
  /^(\/readyz|error|warn|kind|walletd (migrate|statements rebuild)|pool_mode = session)$/,
  /^(ready, degraded|consumer\.wallet_queue|… a pooler with transaction pooling …)$/,
];

describe('tables of docs/operations.md', () => {
  it('docs/operations.md has tables with tests and faults', () => {
    expect(rows.length - faults.length).toBeGreaterThan(15);
    expect(faults.length).toBeGreaterThan(12);
  });

  it.each(rows)('docs/operations.md names tests that exist: $cells.1', ({ cells }) => {
    const names = quotedIn(cells.at(-2)).filter((name) => name.endsWith('.test.ts'));
    const isThere = (name: string): boolean =>
      paths.some((path) => path === name || path.endsWith(`/${name}`));
    expect(names.filter((name) => !isThere(name))).toEqual([]);
  });

  it.each(faults)('docs/operations.md quotes texts of the daemon: $cells.1', ({ cells }) => {
    const said = quotedIn(cells[2]).filter((text) => !others.some((one) => one.test(text)));
    const words = said.map((text) =>
      text
        .replace(/\{part\}/, '')
        .replaceAll('…', '')
        .trim(),
    );
    expect(words.filter((text) => !source.includes(text))).toEqual([]);
  });
});

it('docs/operations.md has a row for every setting, and its default', () => {
  const text = readFileSync(join(root, 'docs/operations.md'), 'utf8');
  const rowOf = (name: string): string =>
    new RegExp(`^\\| \`${name}\` \\|.*$`, 'm').exec(text)?.[0] ?? '';
  const names = Object.keys(settings) as (keyof typeof settings)[];
  expect(names.filter((name) => rowOf(name) === '')).toEqual([]);
  const isUnsaid = (name: keyof typeof settings): boolean => {
    const shown = rowOf(name).split('|')[2] ?? '';
    const [, fallback] = settings[name];
    return fallback !== '' && !shown.includes(`\`${fallback}\``) && shown.trim() !== 'all five';
  };
  expect(names.filter(isUnsaid)).toEqual([]);
});
