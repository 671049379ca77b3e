import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { findFaults, queryService, readUrls, waitUntil } from '../../support/ledger/ledger.ts';
import { holdWallet } from '../../support/postgres/hold-lock.ts';
import { signUp } from '../../support/broker/producer.ts';
import { createWorld, type Person, type World } from '../../support/processes/world.ts';

let world: World;
let operator: Person;
let stuck: string;
let others: string[];

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  operator = await world.staff('operator', 'operator');
  const { address } = world.daemon();
  stuck = (await signUp(address, 'stuck')).id;
  const names = Array.from({ length: 19 }, (_, i) => `other${i}`);
  others = (await Promise.all(names.map((name) => signUp(address, name)))).map(({ id }) => id);
});

afterAll(() => world.dispose());

type Entry = { wallet_id: string; description: string; balance_after: string };

const readEntries = (): Promise<Entry[]> =>
  queryService<Entry>(
    world.dataDir,
    'wallet',
    'SELECT wallet_id, description, balance_after FROM transactions ORDER BY wallet_id, seq',
  );

const brlOf = (userId: string): string => walletIdOf(userId, 'BRL');

function countOf(entries: readonly Entry[], userId: string): number {
  return entries.filter((entry) => entry.wallet_id === brlOf(userId)).length;
}

function begin(args: readonly string[]) {
  const env = { ...operator.env, WALLET_SERVER: world.daemon().address };
  const child = spawn(process.execPath, ['dist/cli/main.js', ...args], { env, stdio: 'pipe' });
  const out: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => out.push(chunk));
  }
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, ended, text: () => Buffer.concat(out).toString() };
}

it('a locked wallet delays only its own rows of a batch, in order, through kill -9', async () => {
  const perWallet = 300;
  const people = [stuck, ...others];
  // One row of each wallet in turn; the locked wallet spends what it got the row before.
  const rows = Array.from({ length: perWallet * people.length }, (_, i) => {
    const round = Math.floor(i / people.length);
    const [operation, amount] = round % 2 === 0 ? ['deposit', 5] : ['withdraw', 2];
    return { operation, amount, user: people[i % people.length]!, row: i + 1 };
  });
  const lines = rows.map(
    ({ operation, amount, user, row }) => `${operation},${amount}.00,${user},row ${row}`,
  );
  const file = join(world.folder, 'payments.csv');
  await writeFile(file, ['operation,amount,user,description', ...lines, ''].join('\n'));
  await operator.json(['deposit', '1.00', '--user', stuck, '--description', 'opening', '--yes']);
  const args = ['batch', 'run', file, '--batch-id', 'locked', '--yes', '--json'];

  const release = await holdWallet((await readUrls(world.dataDir)).owner('wallet'), stuck);
  let current = begin(args);
  const isDone = async (count: number): Promise<boolean> => {
    const entries = await readEntries();
    return others.every((id) => countOf(entries, id) >= count);
  };
  await waitUntil('the other wallets have their first rows', () => isDone(100), 30_000);
  current.child.kill('SIGKILL');
  await current.ended;
  current = begin(args);
  await waitUntil('the other wallets have all their rows', () => isDone(perWallet), 30_000);
  expect(countOf(await readEntries(), stuck)).toBe(1);
  expect(current.child.exitCode).toBeNull();
  // Once more, when nothing is left but the rows that wait.
  current.child.kill('SIGKILL');
  await current.ended;
  current = begin(args);
  await waitUntil('it says that it waits', () => Promise.resolve(current.text().includes('lock')));
  await release();
  expect([await current.ended, current.text()]).toEqual([
    0,
    expect.stringContaining('"complete": true'),
  ]);

  const entries = await readEntries();
  for (const id of people) {
    const reported = entries.filter(({ wallet_id }) => wallet_id === brlOf(id));
    const before = id === stuck ? ['opening'] : [];
    const mine = rows.filter(({ user }) => user === id).map(({ row }) => `row ${row}`);
    expect(reported.map(({ description }) => description)).toEqual([...before, ...mine]);
    expect(reported.at(-1)?.balance_after).toBe(String(45_000 + (id === stuck ? 100 : 0)));
  }
  const text = await readFile(`${file}.results.csv`, 'utf8');
  const results: Record<string, string>[] = parse(text, { columns: true });
  expect(results.map(({ row }) => Number(row))).toEqual(rows.map(({ row }) => row));
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['done']));
  expect(new Set(results.map((row) => row['transaction_id'])).size).toBe(rows.length);
  await waitUntil('statements have every line', async () => {
    return (await findFaults(world.dataDir)).length === 0;
  });
}, 240_000);
