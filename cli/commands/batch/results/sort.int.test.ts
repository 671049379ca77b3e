import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { formatHead } from './results.ts';
import { sortResults } from './sort.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-sort-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function sort(text: string): Promise<string> {
  const path = join(folder, 'results');
  await writeFile(`${path}.partial`, text, { mode: 0o600 });
  const partial = await open(`${path}.partial`, 'r');
  await (await sortResults(partial, path)).close();
  await partial.close();
  return readFile(`${path}.sorted`, 'utf8');
}

test('results with line breaks in their cells stay whole in the order of their rows', async () => {
  const head = formatHead('csv');
  const forged = '"depo\n1,done,deposit,999.00"';
  const rows = [
    '1,done,deposit,1.00\r\n',
    `2,invalid,${forged},,"Ana ""A""\n\n9"\r\n`,
    `3,invalid,"${'x\n'.repeat(200_000)}"\r\n`,
    '4,done,deposit,4.00\r\n',
  ];
  const [one, two, three, four] = rows;
  expect(await sort([head, two, four, one, three].join(''))).toBe([head, ...rows].join(''));
});

test('results in NDJSON are sorted line by line, whatever their quotes', async () => {
  const lines = [1, 2, 3].map((row) => `{"row":${row},"status":"invalid","user":"a\\"b"}\n`);
  const [one, two, three] = lines;
  expect(await sort([two, three, one].join(''))).toBe(lines.join(''));
});

test('late results between others, at the beginning and at the end find their places', async () => {
  const head = formatHead('csv');
  const line = (row: number): string => `${row},done\r\n`;
  const written = [3, 9, 2, 1, 10, 4, 12, 11].map(line).join('');
  const sorted = [1, 2, 3, 4, 9, 10, 11, 12].map(line).join('');
  expect(await sort(head + written)).toBe(head + sorted);
});

test('results longer than a block are whole, and a last line without its end is kept', async () => {
  const line = (row: number): string => `${row},done,${'x'.repeat(100_000)}\r\n`;
  const rows = [2, 3, 5, 1, 6, 4, 7, 8, 10].map(line);
  const sorted = [1, 2, 3, 4, 5, 6, 7, 8, 10].map(line).join('');
  expect(await sort(`${rows.join('')}9,cut`)).toBe(sorted.replace(line(10), `9,cut${line(10)}`));
});

test('results in order are copied as they are, and empty ones stay empty', async () => {
  const text = `${formatHead('csv')}1,done\r\n2,done\r\n`;
  expect(await sort(text)).toBe(text);
  await rm(join(folder, 'results.sorted'));
  expect(await sort('')).toBe('');
});

test('sorted results that an earlier attempt left are replaced', async () => {
  await writeFile(join(folder, 'results.sorted'), `${formatHead('csv')}7,done\r\n8,done\r\n`, {
    mode: 0o600,
  });
  expect(await sort('2,done\r\n1,done\r\n')).toBe('1,done\r\n2,done\r\n');
});
