import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { createBatchWorld, type BatchWorld } from './test-support.ts';

const ana = '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10';
const args = ['--batch-id', 'may', '--yes', '--json'];
const row = (amount: string): string => `deposit,${amount},${ana},`;

let world: BatchWorld;

beforeEach(async () => {
  world = await createBatchWorld();
});
afterEach(() => world.close());

test('an unfinished run is not continued with a file of fewer rows', async () => {
  world.fundsMinor = 100n;
  const rows = Array.from({ length: 1_500 }, (_, i) => `deposit,2,${ana},,key-${i}`);
  const toFile = (lines: readonly string[]) =>
    ['operation,amount,user,description,key', ...lines, ''].join('\n');
  const stop = ['--yes', '--json', '--max-errors', '1000'];
  const first = await world.runFile(toFile(rows), stop);
  expect(JSON.parse(first.out)).toMatchObject({ complete: false });
  world.fundsMinor = 10n ** 9n;
  const second = await world.runFile(toFile([`deposit,3,${ana},,other`]), stop);
  expect([second.exitCode, second.out]).toEqual([2, '']);
  expect(second.err).toContain('the input has changed');
  expect([world.payments.length, second.results.length]).toEqual([0, 0]);
});

test('rows changed after an interruption need an answer while some are in doubt', async () => {
  world.fundsMinor = 100n;
  const rows = Array.from({ length: 12_000 }, () => row('2'));
  const stop = [...args, '--max-errors', '1'];
  expect((await world.run(rows, stop)).exitCode).toBe(3);
  // An earlier run had sent all of them, and was killed.
  const journal = join(world.folder, 'batch.csv.results.csv.journal');
  await appendFile(journal, `${JSON.stringify({ sentRow: 12_000 })}\n`);
  const second = await world.run(rows, stop);
  expect([second.exitCode, JSON.parse(second.out)]).toMatchObject([9, { complete: false }]);
  const edited = await world.run([...rows.slice(0, -1), row('3')], args);
  expect([edited.exitCode, edited.err]).toEqual([2, expect.stringContaining('--allow-new-rows')]);
});

test('results are never written over the file that is read', async () => {
  const file = join(world.folder, 'batch.csv');
  const ran = await world.run([row('1')], [...args, '--results', file, '--overwrite']);
  expect([ran.exitCode, ran.err]).toEqual([2, expect.stringContaining('is read')]);
  expect(await readFile(file, 'utf8')).toContain('deposit');
  expect(world.payments).toHaveLength(0);
});
