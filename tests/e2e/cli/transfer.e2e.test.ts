import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import {
  createWorld,
  expectCode,
  password,
  type Person,
  type World,
} from '../../support/processes/world.ts';

let world: World;
let [operator, ana, bia]: Person[] = [];
let anaId = '';
let biaId = '';

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  operator = await world.staff('operator', 'operator');
  [ana, bia] = [await world.customer('ana'), await world.customer('bia')];
  [anaId, biaId] = [ana.id, bia.id];
});

afterAll(() => world.dispose());

type Made = Readonly<Record<string, string>>;
const staff = (args: readonly string[]) => operator!.json<Made>([...args, '--yes']);
const balanceOf = async (person: Person | undefined): Promise<string | undefined> =>
  (await person?.json<{ balance: string }>(['balance']))?.balance;

it('a transfer, parts of its reversal and a forced one reach both wallets and their statements', async () => {
  expectCode(await ana!.run(['deposit', '100.00', '--via', 'itau', '--yes']), 0);
  const paid = await ana!.json<Made>([
    'transfer',
    '60.00',
    '--to',
    biaId,
    '--reference',
    'NF-7',
    '--meta',
    'order=1042',
    '--yes',
  ]);
  const email = 'leo@example.com';
  const create = ['users', 'create', '--email', email, '--role', 'customer', '--password-stdin'];
  expectCode(await operator!.run(create, password), 0);
  const byEmail = ['transfer', '1.00', '--to', 'Leo@Example.com', '--dry-run'];
  const tried = await ana!.json<Made>(byEmail);
  expect(tried).toMatchObject({ amount: '1.00', dryRun: true });
  expect(tried['counterparty']).toMatch(/^[0-9a-f-]{36}$/);
  expect(paid).toMatchObject({ counterparty: biaId, reference: 'NF-7', amount: '60.00' });
  expect(await balanceOf(bia)).toBe('60.00');
  expect((await ana!.run(['transfer', '1', '--to', anaId, '--yes', '--json'])).stderr).toContain(
    'TRANSFER_TO_SELF',
  );
  const unknown = biaId.replace(/^.{8}/, '00000000');
  const missing = await ana!.run(['transfer', '1', '--to', unknown, '--yes', '--json']);
  expect([missing.code, missing.stderr]).toEqual([
    5,
    expect.stringContaining('RECIPIENT_NOT_FOUND') as string,
  ]);

  expectCode(await bia!.run(['withdraw', '50.00', '--yes']), 0);
  const undo = ['reverse', paid['id'] ?? '', '--user', anaId];
  expect(await staff([...undo, '--amount', '10.00'])).toMatchObject({ amount: '10.00' });
  const shown = ['transactions', 'show', paid['id'] ?? '', '--user', anaId];
  expect(await operator!.json<Made>(shown)).toMatchObject({ undone: '10.00', amount: '60.00' });
  const refused = await operator!.run([...undo, '--yes', '--json']);
  expect([refused.code, refused.stderr]).toEqual([
    6,
    expect.stringContaining('INSUFFICIENT_FUNDS') as string,
  ]);
  expect(await staff([...undo, '--force'])).toMatchObject({
    amount: '50.00',
    balanceAfter: '100.00',
  });
  expect([await balanceOf(ana), await balanceOf(bia)]).toEqual(['100.00', '-50.00']);
  const over = await operator!.run([...undo, '--amount', '0.01', '--yes', '--json']);
  expect(over.stderr).toContain('PARENT_ALREADY_UNDONE');

  const show = ['statement', 'show'];
  const table = (await bia!.run(show)).stdout;
  expect(table).toContain('-50.00');
  const csv = (await bia!.run([...show, '-o', 'csv'])).stdout;
  expect(csv).toMatch(/,reversal,.*,50\.00,,-50\.00,BRL/);
  const json = await bia!.json<{ statement: { closing: string } }>(show);
  expect(json.statement.closing).toBe('-50.00');
  const journal = (await bia!.run([...show, '-o', 'hledger'])).stdout;
  expect(journal).toContain(`equity:user:${anaId}`);
  expect(journal).toContain('= -50.00 BRL');
  expect((await ana!.run([...show, '-o', 'hledger'])).stdout).toContain('equity:external:itau');
  const file = join(world.folder, 'bia.csv');
  const write = ['statement', 'export', '--locale', 'pt-BR', '--file', file, '--from', 'yesterday'];
  expectCode(await bia!.run(write), 0);
  expect(await readFile(file, 'utf8')).toMatch(/;estorno;.*;50,00;;-50,00;BRL;UTC/);
});

it('a batch pays other users by address or id, and its dry run changes nothing', async () => {
  const file = join(world.folder, 'payees.csv');
  const rows = [
    'operation,amount,user,to,via,reference,meta.order',
    `deposit,10.00,${anaId},,itau,,`,
    `transfer,4.00,${anaId},leo@example.com,,NF-1,1042`,
    `transfer,5.00,${anaId},${biaId},,NF-2,`,
    `transfer,1.00,${anaId},zoe@example.com,,NF-3,`,
    `transfer,1.00,${anaId},${anaId},,,`,
  ];
  await writeFile(file, `${rows.join('\n')}\n`);
  const before = await balanceOf(ana);
  const args = ['batch', 'run', file, '--batch-id', 'payees'];
  for (const [more, balance] of [
    [['--dry-run'], before],
    [['--yes'], '101.00'],
    [['--yes'], '101.00'],
  ] as const) {
    const ran = await operator!.run([...args, ...more, '--json']);
    expect(ran.code).toBe(3);
    expect(JSON.parse(ran.stdout)).toMatchObject({ invalid: 2, rejected: 0 });
    expect(await balanceOf(ana)).toBe(balance);
  }
  const listed = await operator!.json<{ items: Made[] }>([
    ...['transactions', 'list', '--user', 'leo@example.com'],
  ]);
  expect(listed.items).toMatchObject([{ amount: '4.00', counterparty: anaId, reference: 'NF-1' }]);
});

it('a payment and its fee are one group, which a repeat does not do again', async () => {
  expectCode(await operator!.run(['deposit', '100.00', '--user', anaId, '--yes']), 0);
  const before = [await balanceOf(ana), await balanceOf(bia)].map(Number);
  const rows = [`transfer,90.00,${anaId},${biaId}`, `fee,1.50,${anaId},`];
  const file = join(world.folder, 'group.csv');
  await writeFile(file, ['operation,amount,user,to', ...rows, ''].join('\n'));
  const args = ['group', 'run', file, '--group-id', 'order-1042'];
  type Ran = { readonly status: string; readonly items: readonly Made[] };
  expect(await operator!.json<Ran>([...args, '--dry-run'])).toMatchObject({ dryRun: true });
  expect(await operator!.json<Ran>([...args, '--yes'])).toMatchObject({ status: 'done' });
  expect(await operator!.json<Ran>([...args, '--yes'])).toMatchObject({ status: 'replayed' });
  const after = [await balanceOf(ana), await balanceOf(bia)].map(Number);
  expect(after.map((balance, i) => balance - (before[i] ?? 0))).toEqual([-91.5, 90]);

  const large = `fee,100000.00,${anaId},`;
  await writeFile(file, ['operation,amount,user,to', ...rows, large, ''].join('\n'));
  const refused = await operator!.run(['group', 'run', file, '--group-id', 'other', '--yes']);
  expect([refused.code, refused.stderr]).toEqual([6, expect.stringContaining('row 3') as string]);
  expect(refused.stdout).toContain('GROUP_ABORTED');
  expect([await balanceOf(ana), await balanceOf(bia)].map(Number)).toEqual(after);
});

it('staff pass a spending limit by force, and never what is available', async () => {
  const user = ['--user', anaId];
  await staff(['deposit', '50.00', ...user]);
  await staff(['limits', 'set', '--per-transaction', '5.00', ...user]);
  const available = await balanceOf(ana);
  for (const movement of [['withdraw'], ['purchase'], ['transfer', '--to', biaId], ['hold']]) {
    const [operation = '', ...more] = movement;
    const ask = (amount: string, force: readonly string[]) =>
      operator!.run([operation, amount, ...more, ...user, ...force, '--yes', '--json']);
    const refusals = [await ask('6.00', []), await ask('100000.00', ['--force'])];
    expect(refusals.map(({ code }) => code)).toEqual([6, 6]);
    expect(refusals[0]?.stderr).toContain('LIMIT_EXCEEDED');
    expect(refusals[1]?.stderr).toContain('INSUFFICIENT_FUNDS');
    const forced = await ask('6.00', ['--force']);
    expectCode(forced, 0);
    expect(JSON.parse(forced.stdout)).toMatchObject({
      ...{ amount: '6.00', direction: operation === 'hold' ? 'none' : 'out' },
    });
  }
  const left = Number(available) - 24;
  expect(await ana!.json<Made>(['balance'])).toMatchObject({ available: left.toFixed(2) });
});
