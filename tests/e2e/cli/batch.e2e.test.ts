import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { run } from '../../../scripts/product.ts';
import { findFaults, queryService, waitUntil } from '../../support/ledger/ledger.ts';
import { createWorld, expectCode, type Person, type World } from '../../support/processes/world.ts';

let world: World;
let operator: Person;
let customers: readonly Person[];

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  operator = await world.staff('operator', 'operator');
  customers = [];
  for (const name of ['ana', 'bia', 'caio', 'davi']) {
    customers = [...customers, await world.customer(name)];
  }
});

afterAll(() => world.dispose());

type Result = Record<'row' | 'status' | 'transaction_id' | 'user_id' | 'reason' | 'field', string>;

const readResults = async (file: string): Promise<Result[]> =>
  parse(await readFile(file, 'utf8'), { columns: true });

const customer = (i: number): Person => customers[i % customers.length]!;

const lastRowOf = async (results: string): Promise<number> => {
  if (!existsSync(`${results}.journal`)) return 0;
  const lines = (await readFile(`${results}.journal`, 'utf8')).trimEnd().split('\n');
  const counted = lines.findLast((line) => line.includes('"bytes"') && line.endsWith('}'));
  return counted === undefined ? 0 : (JSON.parse(counted) as { row: number }).row;
};

const balanceOf = async (person: Person): Promise<string> =>
  (await person.json<{ balance: string }>(['balance'])).balance;

const countEntries = async (): Promise<number> => {
  const [row] = await queryService<{ count: string }>(
    world.dataDir,
    'wallet',
    'SELECT count(*) FROM transactions',
  );
  return Number(row?.count);
};

/** The CLI's clock is five minutes ahead: what was done before is not a matter of its time. */
const clockAhead = '--import=data:text/javascript,((now)=>{Date.now=()=>now()+300000})(Date.now)';

describe('wallet batch run', () => {
  it('a batch does 100,000 rows once each through kills of daemon and CLI', async () => {
    const count = 100_000;
    const lines = Array.from({ length: count }, (_, i) =>
      i % 5 < 3
        ? `deposit,10.00,${customer(Math.floor(i / 5)).id},row ${i}`
        : `withdraw,5.00,${customer(Math.floor(i / 5)).id},${i % 2 === 0 ? '' : 'again'}`,
    );
    const file = join(world.folder, 'large.csv');
    await writeFile(file, ['operation,amount,user,description', ...lines, ''].join('\n'));
    const before = await countEntries();
    const args = ['batch', 'run', file, '--batch-id', 'large', '--yes', '--json'];
    const results = `${file}.results.csv`;
    const begin = () => {
      const env = {
        ...operator.env,
        WALLET_SERVER: world.daemon().address,
        NODE_OPTIONS: clockAhead,
      };
      const child = spawn(process.execPath, ['dist/cli/main.js', ...args], { env, stdio: 'pipe' });
      const out: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => out.push(chunk));
      const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
      return { child, ended, text: () => Buffer.concat(out).toString() };
    };
    const isPast = (row: number) =>
      waitUntil(`row ${row} answered`, async () => (await lastRowOf(results)) > row);

    let current = begin();
    for (const [row, victim] of [
      [10_000, 'daemon'],
      [25_000, 'cli'],
      [40_000, 'daemon'],
      [55_000, 'cli'],
      [70_000, 'daemon'],
    ] as const) {
      await isPast(row);
      if (victim === 'daemon') {
        await world.kill();
        await world.start();
      } else {
        current.child.kill('SIGKILL');
        await current.ended;
        current = begin();
      }
    }
    expect([await current.ended, current.text()]).toEqual([
      0,
      expect.stringContaining('"complete": true'),
    ]);

    const reported = await readResults(results);
    expect(reported.map(({ row }) => Number(row))).toEqual(
      Array.from({ length: count }, (_, i) => i + 1),
    );
    expect(new Set(reported.map(({ status }) => status))).toEqual(new Set(['done']));
    expect(new Set(reported.map((row) => row.transaction_id)).size).toBe(count);
    expect((await countEntries()) - before).toBe(count);
    const share = count / 5 / customers.length;
    for (const person of customers) expect(await balanceOf(person)).toBe(`${share * 20}.00`);
    await waitUntil('the projection has caught up', async () => {
      return (await findFaults(world.dataDir)).length === 0;
    });

    const again = await operator.run(args);
    expectCode(again, 0);
    expect(JSON.parse(again.stdout)).toMatchObject({ rows: count, replayed: count, done: 0 });
    expect(again.stderr).toContain('no new transactions');
    expect((await countEntries()) - before).toBe(count);
  }, 300_000);

  it('a batch reports bad rows with number, field and reason, and does the others', async () => {
    const [ana, bia] = customers as [Person, Person, Person, Person];
    const parent = crypto.randomUUID();
    const bad: [line: string, status: string, reason: string, field: string][] = [
      ['deposit,1e3,,,,', 'invalid', 'AMOUNT_INVALID', 'amount'],
      ['deposit,,,,,', 'invalid', 'AMOUNT_INVALID', 'amount'],
      ['deposit,1.001,,,,', 'invalid', 'AMOUNT_INVALID', 'amount'],
      ['deposit,1.5,JPY,,,', 'invalid', 'AMOUNT_INVALID', 'amount'],
      ['deposit,1,XXX,,,', 'invalid', 'CURRENCY_UNKNOWN', 'currency'],
      ['send,1,,,,', 'invalid', 'INVALID_ARGUMENT', 'operation'],
      [',1,,,,', 'invalid', 'INVALID_ARGUMENT', 'operation'],
      ['deposit,1,,no-address,,', 'invalid', 'INVALID_ARGUMENT', 'user'],
      ['deposit,1,,unknown@example.com,,', 'invalid', 'USER_NOT_FOUND', 'user'],
      [`deposit,1,,${crypto.randomUUID()},,`, 'rejected', 'USER_NOT_FOUND', 'user'],
      [`deposit,1,,${operator.id},,`, 'rejected', 'STAFF_OWN_WALLET', 'user'],
      ['reversal,,,,,', 'invalid', 'INVALID_ARGUMENT', 'parent_id'],
      ['reversal,,,,mine,', 'invalid', 'INVALID_ARGUMENT', 'parent_id'],
      [`reversal,,,,${parent},`, 'rejected', 'PARENT_NOT_FOUND', 'parent_id'],
      [`deposit,1,,,${parent},`, 'invalid', 'INVALID_ARGUMENT', 'parent_id'],
      ['deposit,1,,,,shop', 'invalid', 'INVALID_ARGUMENT', 'merchant'],
      ['withdraw,99999999,,,,', 'rejected', 'INSUFFICIENT_FUNDS', 'amount'],
      ['deposit,1,,', 'invalid', 'INVALID_ARGUMENT', ''],
      ['dep"osit,1,,,,', 'invalid', 'INVALID_ARGUMENT', ''],
      ['deposit,1,,,,\0', 'invalid', 'INVALID_ARGUMENT', 'merchant'],
    ];
    // 1 % of the rows are bad: each hundredth is one of them, in turn.
    const lines = Array.from({ length: 2_000 }, (_, i) =>
      i % 100 === 99 ? bad[Math.floor(i / 100)]![0] : `deposit,0.0${(i % 9) + 1},,${ana.id},,`,
    );
    const file = join(world.folder, 'bad.csv');
    const head = 'operation,amount,currency,user,parent_id,merchant';
    await writeFile(file, [head, ...lines, ''].join('\n'));
    const before = [await balanceOf(ana), await countEntries()];
    const args = ['batch', 'run', file, '--batch-id', 'bad', '--user', bia.id];

    const dry = await operator.run([...args, '--dry-run', '--json']);
    expectCode(dry, 3);
    expect([await balanceOf(ana), await countEntries()]).toEqual(before);
    const real = await operator.run([...args, '--yes', '--json']);
    expectCode(real, 3);
    expect(JSON.parse(real.stdout)).toMatchObject({ rows: 2_000, done: 1_980, replayed: 0 });

    const reported = await readResults(`${file}.results.csv`);
    const failed = reported.filter(({ status }) => status !== 'done');
    expect(failed.map(({ row, status, reason, field }) => [row, status, reason, field])).toEqual(
      bad.map(([, ...expected], i) => [String(100 * (i + 1)), ...expected]),
    );
    const dryTold = await readResults(`${file}.dry-run.csv`);
    const essence = ({ row, status, reason, field }: Result) => ({ row, status, reason, field });
    expect(dryTold.map(essence)).toEqual(reported.map(essence));
    expect(await findFaults(world.dataDir)).toEqual([]);
  });

  it('a full disk ends a batch, and the same command resumes it once there is space', async () => {
    const file = join(world.folder, 'full.csv');
    const lines = Array.from({ length: 10_000 }, (_, i) => `deposit,0.01,${customer(i).id}`);
    await writeFile(file, ['operation,amount,user', ...lines, ''].join('\n'));
    const args = ['batch', 'run', file, '--batch-id', 'full', '--yes', '--json'];
    const env = { ...operator.env, WALLET_SERVER: world.daemon().address };
    // No file of the shell's children may be longer than 300 KiB; writing more is an error like
    // ENOSPC.
    const limited = `trap '' XFSZ; ulimit -f 300; exec "$@"`;
    const wallet = ['-', process.execPath, 'dist/cli/main.js', ...args];
    const before = await countEntries();
    const full = await run('bash', ['-c', limited, ...wallet], { env });
    expect([full.code, full.stderr]).toEqual([1, expect.stringContaining('OUTPUT_FAILED')]);
    const reported = await lastRowOf(`${file}.results.csv`);
    expect(reported).toBeGreaterThan(0);
    expect(reported).toBeLessThan(10_000);

    const resumed = await operator.run([...args, '--resume']);
    expectCode(resumed, 0);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ rows: 10_000, done: 10_000, replayed: 0 });
    expect((await countEntries()) - before).toBe(10_000);
    const rows = (await readResults(`${file}.results.csv`)).map(({ row }) => Number(row));
    expect(rows).toEqual(Array.from(lines, (_, i) => i + 1));

    const nowhere = join(world.folder, 'nowhere', 'results.csv');
    expectCode(await operator.run([...args, '--results', nowhere]), 2);
  });

  it('a batch that Ctrl-C interrupted is finished by the same command', async () => {
    const file = join(world.folder, 'interrupted.ndjson');
    const rows = Array.from({ length: 60_000 }, () =>
      JSON.stringify({ operation: 'deposit', amount: '0.01', user: customer(0).email }),
    );
    await writeFile(file, `${rows.join('\n')}\n`);
    const results = `${file}.results.csv`;
    // Their own addresses were never verified, so they cannot be found by them.
    const unfound = await operator.run([
      'batch',
      'run',
      file,
      '--batch-id',
      'i',
      '--yes',
      '--json',
    ]);
    expectCode(unfound, 3);
    await writeFile(file, `${rows.join('\n').replaceAll(customer(0).email, customer(0).id)}\n`);
    const before = await countEntries();
    const env = { ...operator.env, WALLET_SERVER: world.daemon().address };
    const args = ['batch', 'run', file, '--batch-id', 'i', '--yes', '--json'];
    const child = spawn(process.execPath, ['dist/cli/main.js', ...args], { env, stdio: 'pipe' });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    await waitUntil('some rows are done', async () => (await lastRowOf(results)) > 2_000);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    const done = (await countEntries()) - before;
    expect(done).toBeGreaterThan(2_000);
    expect(done).toBeLessThan(60_000);
    expect(await lastRowOf(results)).toBe(done);
    const resumed = await operator.run([...args, '--resume']);
    expectCode(resumed, 0);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ rows: 60_000, done: 60_000, replayed: 0 });
    expect((await countEntries()) - before).toBe(60_000);
  });

  it('batch reverse undoes each row of a batch once, through kills of daemon and CLI', async () => {
    const count = 20_000;
    const file = join(world.folder, 'mistake.csv');
    const lines = Array.from({ length: count }, (_, i) => `deposit,0.05,${customer(i).id}`);
    await writeFile(file, ['operation,amount,user', ...lines, ''].join('\n'));
    const balances = () => Promise.all(customers.map(balanceOf));
    const before = { balances: await balances(), entries: await countEntries() };
    const batch = ['batch', 'run', file, '--batch-id', 'mistake', '--yes', '--json'];
    expectCode(await operator.run(batch), 0);
    expect(await balances()).not.toEqual(before.balances);

    const results = `${file}.results.csv`;
    const args = ['batch', 'reverse', results, '--yes', '--json'];
    const env = { ...operator.env, WALLET_SERVER: world.daemon().address };
    const begin = () => {
      const child = spawn(process.execPath, ['dist/cli/main.js', ...args], {
        env,
        stdio: 'ignore',
      });
      return { child, ended: new Promise((resolve) => child.on('close', resolve)) };
    };
    const isPast = (row: number) =>
      waitUntil(`row ${row}`, async () => (await lastRowOf(`${results}.reversed.csv`)) > row);
    const first = begin();
    await isPast(3_000);
    first.child.kill('SIGKILL');
    await first.ended;
    const second = begin();
    await isPast(9_000);
    await world.kill();
    await world.start();
    expect(await second.ended).toBe(0);
    expect(await balances()).toEqual(before.balances);
    expect((await countEntries()) - before.entries).toBe(2 * count);
    const again = await operator.run(args);
    expectCode(again, 0);
    expect(JSON.parse(again.stdout)).toMatchObject({ replayed: count, done: 0 });
    expect((await countEntries()) - before.entries).toBe(2 * count);
  });
});
