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
