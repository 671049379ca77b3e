import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { parse } from 'csv-parse/sync';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { Operation } from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createBatchWorld, type BatchWorld } from '../test-support.ts';

const ana = '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10';
const parent = '7c4f9d7e-8f1c-5a49-8c53-3c2b6f8f7a10';
const row = (amount: string): string => `deposit,${amount},${ana},`;
const undo = ['--yes', '--json'];

let world: BatchWorld;
let results: string;

beforeEach(async () => {
  world = await createBatchWorld();
  results = join(world.folder, 'batch.csv.results.csv');
});
afterEach(() => world.close());

const payAll = async (): Promise<void> => {
  world.fundsMinor = 10_000n;
  const rows = [row('1'), row('900'), row('2.50'), 'deposit,x,,'];
  const ran = await world.run(rows, ['--batch-id', 'may', '--yes', '--json']);
  expect(ran.results.map(({ status }) => status)).toEqual([
    ...['done', 'rejected', 'done', 'invalid'],
  ]);
};

const reverse = (file: string, ...args: string[]) =>
  world.cli.run(['batch', 'reverse', file, ...args]);

const readUndone = async (): Promise<Record<string, string>[]> =>
  parse(await readFile(`${results}.reversed.csv`, 'utf8'), { columns: true });

test('what was done is undone once, however often, and failed rows are skipped', async () => {
  await payAll();
  const paid: Record<string, string>[] = parse(await readFile(results, 'utf8'), { columns: true });
  const first = await reverse(results, ...undo);
  expect([first.exitCode, JSON.parse(first.out)]).toMatchObject([0, { rows: 2, done: 2 }]);
  const undos = world.payments.slice(2);
  expect(undos.map((item) => [item.operation, item.parentId, item.amountMinor])).toEqual([
    [Operation.REVERSAL, paid[0]?.['transaction_id'], 100n],
    [Operation.REVERSAL, paid[2]?.['transaction_id'], 250n],
  ]);
  expect((await readUndone()).map(({ row: of, status }) => [of, status])).toEqual([
    ['1', 'done'],
    ['3', 'done'],
  ]);
  const again = await reverse(results, ...undo);
  expect([again.exitCode, JSON.parse(again.out)]).toMatchObject([0, { replayed: 2, done: 0 }]);
  expect(again.err).not.toContain('--batch-id');
  expect(world.payments).toHaveLength(4);
});

test('replayed rows are left and counted, and undone with --include-replayed', async () => {
  await payAll();
  await world.run([row('1'), row('2.50')], ['--batch-id', 'may', '--yes', '--json']);
  const left = await reverse(results, ...undo);
  expect(left.exitCode).toBe(2);
  expect(left.err).toContain('2 replayed rows are left');
  expect(world.payments).toHaveLength(2);
  const taken = await reverse(results, '--include-replayed', ...undo);
  expect([taken.exitCode, world.payments.length]).toEqual([0, 4]);
});

test('an undo of an undo is an invalid row, and the others are undone', async () => {
  await payAll();
  const text = await readFile(results, 'utf8');
  await writeFile(results, text.replace('done,deposit', 'done,reversal'), { mode: 0o600 });
  const ran = await reverse(results, ...undo);
  expect(ran.exitCode).toBe(3);
  expect(await readUndone()).toMatchObject([
    { row: '1', status: 'invalid', message: expect.stringContaining('cannot be undone') as string },
    { row: '3', status: 'done' },
  ]);
});

test('a hold is undone by the release of all that is left of it, and a release is not', async () => {
  await payAll();
  const text = await readFile(results, 'utf8');
  const holds = text
    .replace('done,deposit', 'done,hold')
    .replace('3,done,deposit', '3,done,release');
  await writeFile(results, holds, { mode: 0o600 });
  expect((await reverse(results, ...undo)).exitCode).toBe(3);
  expect(world.payments.slice(2)).toMatchObject([
    { operation: Operation.RELEASE, amountMinor: undefined, currency: 'BRL' },
  ]);
  expect(await readUndone()).toMatchObject([
    { row: '1', status: 'done' },
    { row: '3', message: expect.stringContaining('cannot be undone') as string },
  ]);
});

test('the results of a run that was cut off are read up to its last whole row', async () => {
  await payAll();
  const text = await readFile(results, 'utf8');
  const partial = join(world.folder, 'cut.csv.partial');
  await writeFile(partial, `${text}5,done,deposit,9.00,BRL,${ana},7c4f`);
  expect((await reverse(partial, ...undo)).exitCode).toBe(0);
  expect(world.payments).toHaveLength(4);
});

test('results of a dry run are refused: nothing was done that could be undone', async () => {
  await world.run([row('1')], ['--batch-id', 'may', '--dry-run', '--json']);
  const ran = await reverse(join(world.folder, 'batch.csv.dry-run.csv'), ...undo);
  expect([ran.exitCode, ran.out]).toEqual([2, '']);
  expect(ran.err).toContain('dry run');
  expect(world.payments).toHaveLength(0);
});

test('a last result without a line end is undone; half a result is left, and said', async () => {
  await payAll();
  const text = await readFile(results, 'utf8');
  const lines = text.trimEnd().split('\r\n');
  const whole = join(world.folder, 'whole.csv');
  await writeFile(whole, lines.slice(0, 4).join('\r\n'));
  const ran = await reverse(whole, ...undo);
  expect([ran.exitCode, JSON.parse(ran.out)]).toMatchObject([0, { rows: 2, done: 2 }]);
  const half = join(world.folder, 'half.csv');
  await writeFile(half, `${lines.slice(0, 2).join('\r\n')}\r\n2,done,deposit,9.00,BRL`);
  expect((await reverse(half, ...undo)).err).toContain('1 rows of unknown outcome are left');
});

test('results in NDJSON are read as those in CSV', async () => {
  const out = join(world.folder, 'out.ndjson');
  await world.run([row('1')], ['--batch-id', 'n', '--results', out, '--yes', '--json']);
  expect((await reverse(out, ...undo)).exitCode).toBe(0);
  expect(world.payments.map(({ operation }) => operation)).toEqual([
    Operation.DEPOSIT,
    Operation.REVERSAL,
  ]);
});

test.each([
  ['a batch', `operation,amount,user\ndeposit,1,${ana}\n`],
  ['nothing', ''],
  ['another status', 'HEAD1,paid,deposit,1.00,BRL,,x,y,,,,\r\n'],
  ['no transaction', `HEAD1,done,deposit,1.00,BRL,,,${ana},,,,\r\n`],
  ['too few columns', `HEAD1,done,deposit,1.00,BRL,,${parent}\r\n`],
])('a file with %s is no results file, and nothing is sent', async (_what, text) => {
  await payAll();
  const [head = ''] = /^.*\r\n/.exec(await readFile(results, 'utf8')) ?? [];
  const file = join(world.folder, 'other.csv');
  await writeFile(file, text.replace('HEAD', head));
  const ran = await reverse(file, ...undo);
  expect([ran.exitCode, ran.out]).toEqual([2, '']);
  expect(ran.err).toContain('results');
  expect(world.payments).toHaveLength(2);
  expect(await readdir(world.folder)).not.toContain('other.csv.reversed.csv');
});

test('a dry run changes nothing, and the prompt shows rows and totals per currency', async () => {
  await payAll();
  const dry = await reverse(results, '--dry-run', '--json');
  expect([dry.exitCode, JSON.parse(dry.out)]).toMatchObject([0, { rows: 2, dryRun: true }]);
  const asked: string[] = [];
  const prompter = {
    confirm: (question: string) => {
      asked.push(question);
      return Promise.resolve(false);
    },
  };
  const declined = await world.cli.run(['batch', 'reverse', results], {
    isTerminal: true,
    prompter,
  });
  expect([declined.exitCode, asked.length]).toEqual([130, 1]);
  expect(declined.err).toContain('2 rows, 3.50 BRL');
  expect(world.payments).toHaveLength(2);
});
