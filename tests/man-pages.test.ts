import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import packageJson from '../package.json' with { type: 'json' };
import { escapeRoff, toLine, verbatim } from '../scripts/man/roff.ts';
import type { ManPage } from '../scripts/man/pages.ts';
import { listManPages, writeManPages } from '../scripts/man/write.ts';

let folder: string;
let pages: readonly ManPage[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dw-man-'));
  pages = await listManPages();
  await writeManPages(folder);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const render = (file: string): string =>
  execFileSync('mandoc', ['-T', 'utf8', '-O', 'width=100', join(folder, file)], {
    encoding: 'utf8',
  }).replace(/.\u0008/g, '');

it('both programs, their groups and their commands have pages, which the package installs', () => {
  const names = pages.map(({ file }) => file);
  for (const name of ['wallet', 'wallet-batch', 'wallet-batch-run', 'walletd', 'walletd-migrate']) {
    expect(names).toContain(`${name}.1`);
  }
  expect(new Set(names).size).toBe(names.length);
  // `npm run man` writes this list.
  expect(packageJson.man).toEqual(names.map((name) => `./dist/man/${name}`));
  expect(packageJson.files).toContain('dist');
});

it('mandoc finds no fault in any page', () => {
  const files = pages.map(({ file }) => join(folder, file));
  const run = () => execFileSync('mandoc', ['-T', 'lint', '-W', 'warning', ...files]);
  expect(run().toString()).toBe('');
});

it('groff finds no fault in the longest page', () => {
  const warnings = execFileSync(
    'sh',
    [
      '-c',
      `man --warnings -E UTF-8 -l -Tutf8 "$1" 2>&1 >/dev/null`,
      'sh',
      join(folder, 'wallet.1'),
    ],
    { encoding: 'utf8' },
  );
  expect(warnings).toBe('');
});

it('the page of a command has its options, arguments, examples and neighbours', () => {
  const page = render('wallet-batch-run.1');
  expect(page).toMatch(/^NAME\n +wallet-batch-run - run every row/m);
  expect(page).toMatch(/^ +FILE +the file, or - for standard input|^ +FILE\n/m);
  expect(page).toContain('--max-errors <N>');
  expect(page).toContain('wallet batch run payroll.csv --batch-id payroll-2026-11 --dry-run');
  expect(page).toContain('wallet-batch(1)');
});

it('the page of the program has the exit codes and the environment', () => {
  const page = render('wallet.1');
  expect(page).toMatch(/^EXIT STATUS\n/m);
  expect(page).toMatch(/ 130 +interrupted or declined/);
  expect(page).toMatch(/^ENVIRONMENT\n/m);
  expect(page).toMatch(/WALLET_TOKEN +an access token/);
});

it('a text that looks like a macro stays a text', () => {
  expect(toLine('.SH x\n.y')).toBe('\\&.SH x .y');
  expect(verbatim("'a\n.b\n\n  c\\d")).toBe('.nf\n\\(aqa\n\\&.b\n\\&\n\\&  c\\ed\n.fi');
  expect(escapeRoff('é…')).toBe('\\[u00E9]\\[u2026]');
});
