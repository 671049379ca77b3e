import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { createBatchWorld, header, type BatchWorld } from './test-support.ts';

const ana = '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10';
const args = ['--batch-id', 'may', '--yes', '--json'];
const row = (amount: string, description = '') => `deposit,${amount},${ana},${description}`;

let world: BatchWorld;

beforeEach(async () => {
  world = await createBatchWorld();
});
afterEach(() => world.close());

const statusesOf = (ran: Awaited<ReturnType<BatchWorld['run']>>) =>
  ran.results.map(({ status }) => status);

describe('keys', () => {
  test('a file without --batch-id and column key is refused, and old results stay', async () => {
    expect((await world.run([row('1'), row('2')], args)).exitCode).toBe(0);
    const before = await readFile(join(world.folder, 'batch.csv.results.csv'), 'utf8');
    const ran = await world.run([row('1'), row('2')], ['--yes', '--json']);
    expect([ran.exitCode, ran.out]).toEqual([2, '']);
    expect(ran.err).toContain('--batch-id');
    const after = await readFile(join(world.folder, 'batch.csv.results.csv'), 'utf8');
    expect(after).toBe(before);
    expect(world.payments).toHaveLength(2);
  });

  test('a row without a key in a file with keys is found before anything is sent', async () => {
    const text = `operation,amount,user,key\ndeposit,1,${ana},a\ndeposit,2,ana@example.com, \n`;
    const ran = await world.runFile(text, ['--yes', '--json']);
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain('row 2 has no key');
    expect([world.payments.length, world.lookUps]).toEqual([0, 0]);
    expect(await readdir(world.folder)).toEqual(['batch.csv']);
  });

  test('the same key twice in a file makes the later row invalid', async () => {
    const keys = ['4.711E+15', 'x', ' 4.711E+15'];
    const lines = keys.map((key) => `deposit,1,${ana},${key}`);
    const text = ['operation,amount,user,key', ...lines, ''].join('\n');
    const ran = await world.runFile(text, ['--yes', '--json']);
    expect([ran.exitCode, statusesOf(ran)]).toEqual([3, ['done', 'done', 'invalid']]);
    expect(ran.results[2]).toMatchObject({
      field: 'key',
      message: expect.stringContaining('row 1') as string,
    });
    expect(ran.err).toContain('spreadsheet');
    expect(world.payments).toHaveLength(2);
  });
});

describe('the same rows in another form', () => {
  test('a file that another program saved again pays nothing again', async () => {
    const rows = [
      ['deposit', '10.00', ana, 'line one\r\nline two'],
      ['purchase', '5.5', ana, 'sala\u0301rio', 'Cafe\u0301 Sol'],
      ['deposit', '10.00', 'ana@example.com', 'again'],
    ];
    const columns = 'operation,amount,user,description,merchant';
    const write = (cells: readonly (readonly string[])[], end: string): string =>
      [
        columns,
        ...cells.map((line) => [...line, '', ''].slice(0, 5).map(quote).join(',')),
        '',
      ].join(end);
    const quote = (cell: string): string => `"${cell}"`;
    const first = await world.runFile(write(rows, '\r\n'), args);
    expect([first.exitCode, statusesOf(first)]).toEqual([0, ['done', 'done', 'done']]);
    const saved = rows.map((line) =>
      line.map((cell) => ` ${cell.normalize('NFC').replaceAll('\r\n', '\n')} `),
    );
    const upper = saved.map(([operation = '', ...cells]) => [operation.toUpperCase(), ...cells]);
    const again = await world.runFile(`${write(upper, '\n')},,,,\n , ,,,\n`, args);
    expect([again.exitCode, statusesOf(again)]).toEqual([0, ['replayed', 'replayed', 'replayed']]);
    expect(again.err).toContain('no new transactions');
    expect(world.payments).toHaveLength(3);
    expect(world.payments[1]).toMatchObject({
      merchant: 'Caf\u00e9 Sol',
      description: 'sal\u00e1rio',
    });
  });

  test('edited descriptions ask nothing and pay nothing again', async () => {
    await world.run([row('1', 'a'), row('1', 'b'), row('2', 'c')], args);
    const ran = await world.run([row('2', 'C'), row('1', 'x'), row('1', 'a')], args);
    expect([ran.exitCode, new Set(statusesOf(ran))]).toEqual([0, new Set(['replayed'])]);
    expect(world.payments).toHaveLength(3);
  });

  test('UTF-16 with a byte order mark, and other delimiters, are read', async () => {
    const utf16 = Buffer.from(`\uFEFF${header}\n${row('1')}\n`.replaceAll(',', '\t'), 'utf16le');
    const named = await world.runFile(utf16, args);
    expect([named.exitCode, named.err]).toEqual([2, expect.stringContaining('--delimiter tab')]);
    expect(world.payments).toHaveLength(0);
    const read = await world.runFile(utf16, [...args, '--delimiter', 'tab']);
    expect([read.exitCode, statusesOf(read)]).toEqual([0, ['done']]);
  });
});

describe('input that is missing', () => {
  const out = () => join(world.folder, 'out.csv');
  const pipe = (stdin: string, more: readonly string[] = []) =>
    world.cli.run(['batch', 'run', '-', '--results', out(), ...args, ...more], { stdin });

  test.each(['', `${header}\n`, `${header}\n,,,\n`])(
    'input %j without rows fails',
    async (text) => {
      const piped = await pipe(text);
      expect([piped.exitCode, piped.err]).toEqual([2, expect.stringContaining('no rows')]);
      const ran = await world.runFile(text, args);
      expect([ran.exitCode, ran.err]).toEqual([2, expect.stringContaining('--allow-empty')]);
      expect(await readdir(world.folder)).toEqual(['batch.csv']);
      expect((await pipe(text, ['--allow-empty'])).exitCode).toBe(0);
    },
  );

  test('piped input that ends within a row fails, and nothing is sent', async () => {
    const rows = `${header}\n${row('1')}\n`;
    // The last is a whole row, with half an amount.
    for (const cut of [`${rows}deposit,2`, `${rows}"depo`, `${rows}${row('2')}`]) {
      const ran = await pipe(cut);
      expect([ran.exitCode, ran.err]).toEqual([2, expect.stringContaining('middle of row 2')]);
    }
    const line = JSON.stringify({ operation: 'deposit', amount: '1', user: ana });
    const ndjson = await pipe(`${line}\n${line.slice(0, 20)}`, ['--input-format', 'ndjson']);
    expect([ndjson.exitCode, ndjson.err]).toEqual([2, expect.stringContaining('middle of row 2')]);
    expect(world.payments).toHaveLength(0);
    expect((await pipe(`${header}\n${row('1')}\n`)).exitCode).toBe(0);
    expect(await readdir(join(world.cli.stateDir, 'batches'))).toHaveLength(2);
  });
});

describe('known batch ids', () => {
  const fifty = Array.from({ length: 50 }, (_, i) => row(`${i + 1}.00`));

  test('corrected rows are paid without a question', async () => {
    world.fundsMinor = 4_500n;
    const first = await world.run(fifty, args);
    expect(JSON.parse(first.out)).toMatchObject({ done: 45, rejected: 5 });
    world.fundsMinor = 10n ** 9n;
    const corrected = fifty.map((line, i) => (i >= 45 ? row(`${i}.50`) : line));
    const second = await world.run(corrected, args);
    expect(second.exitCode).toBe(0);
    expect(JSON.parse(second.out)).toMatchObject({ done: 5, replayed: 45 });
    expect(world.payments).toHaveLength(50);
  });

  test('a paid row that was changed needs --allow-new-rows', async () => {
    await world.run(fifty, args);
    const edited = [row('1.01'), ...fifty.slice(1)];
    const ran = await world.run(edited, args);
    expect([ran.exitCode, ran.out]).toEqual([2, '']);
    expect(JSON.parse(ran.err)).toMatchObject({
      error: {
        reason: 'CONFIRMATION_REQUIRED',
        hint: expect.stringContaining('--allow-new-rows') as string,
      },
    });
    expect(world.payments).toHaveLength(50);
    const dry = await world.run(edited, ['--batch-id', 'may', '--dry-run']);
    expect([dry.exitCode, dry.err]).toEqual([0, expect.stringContaining('1 row that was paid')]);
    const allowed = await world.run(edited, [...args, '--allow-new-rows']);
    expect([allowed.exitCode, world.payments.length]).toEqual([0, 51]);
    // What the last file had is the measure from now on: the row that is missing was agreed to.
    const again = await world.run(edited, [...args, '--allow-new-rows']);
    expect([again.exitCode, world.payments.length]).toEqual([0, 51]);
  });

  test('more new rows than there were unpaid ones need an answer at a terminal', async () => {
    world.fundsMinor = 4_900n;
    await world.run(fifty, args);
    world.fundsMinor = 10n ** 9n;
    const longer = [...fifty, row('77')];
    const questions: string[] = [];
    const confirm = (question: string) => {
      questions.push(question);
      return Promise.resolve(!question.includes('new rows'));
    };
    const options = { isTerminal: true, prompter: { confirm } };
    const declined = await world.run(longer, ['--batch-id', 'may'], options);
    expect(declined.exitCode).toBe(130);
    expect(declined.err).toContain('2 rows would be paid now, and only 1 row');
    expect(questions.at(-1)).toBe('Pay the new rows?');
    expect(world.payments).toHaveLength(49);
  });

  test('the same rows under another batch id are another batch, and nothing is asked', async () => {
    await world.run(fifty, args);
    const june = await world.run([row('9')], ['--batch-id', 'june', '--yes', '--json']);
    expect([june.exitCode, world.payments.length]).toEqual([0, 51]);
  });
});

describe('what is reported', () => {
  test('results have the row as it was read, and say how many failed and where', async () => {
    world.fundsMinor = 1_000n;
    const bad = 'Deposit,x, ana@example.com ,';
    const ran = await world.run([row('7.5'), row('11'), bad, 'withdraw,2,ana@example.com,'], args);
    expect(ran.exitCode).toBe(3);
    const cells = ran.results.map((result) =>
      ['status', 'operation', 'amount', 'currency', 'user', 'reason', 'message'].map(
        (name) => result[name],
      ),
    );
    expect(cells).toEqual([
      ['done', 'deposit', '7.50', 'BRL', ana, '', ''],
      ['rejected', 'deposit', '11.00', 'BRL', ana, 'INSUFFICIENT_FUNDS', 'too little'],
      ['invalid', 'deposit', 'x', '', 'ana@example.com', 'AMOUNT_INVALID', expect.anything()],
      ['done', 'withdraw', '2.00', 'BRL', 'ana@example.com', '', ''],
    ]);
    expect(ran.err).toContain('2 rows failed (1 rejected, 1 invalid)');
    expect(ran.err).toContain('batch.csv.results.csv');
    expect(JSON.parse(ran.out)).toMatchObject({
      totals: [
        { status: 'done', operation: 'deposit', currency: 'BRL', rows: 1, amount: '7.50' },
        { status: 'done', operation: 'withdraw', currency: 'BRL', rows: 1, amount: '2.00' },
        { status: 'rejected', operation: 'deposit', currency: 'BRL', rows: 1, amount: '11.00' },
      ],
    });
  });

  test('the prompt has rows and totals by operation and currency', async () => {
    const text = `operation,amount,currency,user\ndeposit,1,,${ana}\ndeposit,2.5,brl,${ana}\ndeposit,3,JPY,${ana}\nx,1,,${ana}\n`;
    const confirm = () => Promise.resolve(false);
    const ran = await world.runFile(text, ['--batch-id', 'b', '--no-color'], {
      isTerminal: true,
      prompter: { confirm },
    });
    expect(ran.exitCode).toBe(130);
    expect(ran.err).toMatch(/rows +4, 1 of them invalid/);
    expect(ran.err).toMatch(/deposit +2 rows, 3\.50 BRL/);
    expect(ran.err).toMatch(/deposit +1 row, 3 JPY/);
    expect(ran.err).toContain('row 4 is invalid: operation must be');
    expect(await readdir(world.folder)).toEqual(['batch.csv']);
  });

  test('without the scope users:read a batch with addresses ends with 8, and leaves nothing', async () => {
    world.mayLookUp = false;
    const ran = await world.run([row('1'), 'deposit,1,ana@example.com,'], args);
    expect([ran.exitCode, ran.out]).toEqual([8, '']);
    expect(ran.err).toContain('users:read');
    const named = await world.run([row('1')], [...args, '--user', 'ana@example.com']);
    expect([named.exitCode, named.err]).toEqual([8, expect.stringContaining('users:read')]);
    expect([world.payments.length, await readdir(world.folder)]).toEqual([0, ['batch.csv']]);
    expect(await readdir(join(world.cli.stateDir, 'locks'))).toEqual([]);
    expect(await readdir(world.cli.stateDir)).toEqual(['locks']);
    // Ids need no look-up.
    expect((await world.run([row('1')], args)).exitCode).toBe(0);
  });

  test('a file that changes between two readings is not run', async () => {
    const file = join(world.folder, 'batch.csv');
    const confirm = async () => {
      await writeFile(file, `${header}\n${row('1')}\n${row('2000')}\n`);
      return true;
    };
    const ran = await world.run([row('1')], ['--batch-id', 'b'], {
      isTerminal: true,
      prompter: { confirm },
    });
    expect([ran.exitCode, ran.err]).toEqual([2, expect.stringContaining('has changed')]);
    expect(world.payments).toHaveLength(0);
  });
});

test('a dry run past the server’s limit says up to where it checked, and no row is invalid', async () => {
  world.dryRunLimit = 3;
  const rows = ['1', '2', '3', '4', '5'].map((amount) => row(amount));
  const ran = await world.run(rows, ['--batch-id', 'may', '--dry-run', '--json']);
  expect([ran.exitCode, JSON.parse(ran.out)]).toMatchObject([
    3,
    { rows: 3, done: 3, invalid: 0, complete: false },
  ]);
  expect(ran.err).toContain('checked up to row 3');
  const text = await readFile(join(world.folder, 'batch.csv.dry-run.csv'), 'utf8');
  expect(text.trimEnd().split('\n')).toHaveLength(4);
  expect(await readdir(world.folder)).toEqual(['batch.csv', 'batch.csv.dry-run.csv']);
});

test('--max-errors counts the errors of this run: a resume does not stop at once', async () => {
  world.fundsMinor = 100n;
  const rows = [...Array.from({ length: 1_001 }, () => row('2')), row('1')];
  const stop = [...args, '--max-errors', '1000'];
  const first = await world.run(rows, stop);
  expect([first.exitCode, JSON.parse(first.out)]).toMatchObject([3, { complete: false }]);
  const second = await world.run(rows, stop);
  expect([second.exitCode, JSON.parse(second.out)]).toMatchObject([
    3,
    { rejected: 1_001, done: 1, complete: true },
  ]);
});
