import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const rootFiles = readdirSync(root);
const folders = [
  'bench',
  'cli',
  'client',
  'core',
  'daemon',
  'docker',
  'migrations',
  'protos',
  'tests',
];
const paths = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) =>
    join(folder, path),
  ),
);

type Claim = { readonly text: string; readonly where: string; readonly shownBy: string };

/** The rows of the tables of measures. */
function readClaims(): Claim[] {
  const claims: Claim[] = [];
  let isInTable = false;
  for (const line of readFileSync(join(root, 'docs/security.md'), 'utf8').split('\n')) {
    const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    if (cells[3] === 'shown by') isInTable = true;
    else if (!line.startsWith('|')) isInTable = false;
    else if (isInTable && !/^-+$/.test(cells[1] ?? '')) {
      const [, text = '', where = '', shownBy = ''] = cells;
      claims.push({ text, where, shownBy });
    }
  }
  return claims;
}

/** The names in backticks that look like files or folders. */
const namesIn = (cell: string): string[] =>
  [...cell.matchAll(/`([^`]+)`/g)]
    .map(([, name = '']) => name)
    .filter((name) => /[./]/.test(name) && !/^npm /.test(name));

/** A name is a path from the root or from `daemon/`, or a file's own name; `*` is any folder. */
function exists(name: string): boolean {
  const escaped = name.replace(/\/$/, '').replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(`(^|/)${escaped.replaceAll('*', '[^/]+')}$`);
  const isTop = folders.includes(name.replace(/\/$/, '')) || rootFiles.includes(name);
  return isTop || paths.some((path) => pattern.test(path));
}

const claims = readClaims();
const isTest = (name: string): boolean => /\.test\.ts$|^(tests|bench)\//.test(name);

describe('claims of docs/security.md', () => {
  it('docs/security.md has more than 50 measures', () => expect(claims.length).toBeGreaterThan(50));

  it.each(claims)('docs/security.md names a test that exists: $text', ({ shownBy }) => {
    const names = namesIn(shownBy);
    expect(names.filter((name) => !exists(name))).toEqual([]);
    const isOfMatrix = /the matrix|the same/.test(shownBy);
    expect(isOfMatrix || names.some(isTest)).toBe(true);
  });

  it.each(claims)('docs/security.md names files that exist: $text', ({ where }) => {
    expect(namesIn(where).filter((name) => !exists(name))).toEqual([]);
  });
});
