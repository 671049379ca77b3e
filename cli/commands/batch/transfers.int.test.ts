import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createBatchWorld, type BatchWorld } from './test-support.ts';

const ana = '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10';
const bia = '1b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a11';
const args = ['--batch-id', 'may', '--yes', '--json'];

let world: BatchWorld;

beforeEach(async () => {
  world = await createBatchWorld();
});
afterEach(() => world.close());

const lines = (...rows: readonly string[]) => `${rows.join('\n')}\n`;
const head = 'operation,amount,user,to,via,reference,metadata,meta.Order';

test('transfers, banks, references and metadata of a CSV file are sent, each row once', async () => {
  const rows = [
    `transfer,1,ana@example.com,bia@example.com,,NF-1,"{""a"":""1""}",7`,
    `deposit,2,${ana},,itau,,,`,
  ];
  const ran = await world.runFile(lines(head, ...rows), args);
  expect(ran.results.map(({ status }) => status)).toEqual(['done', 'done']);
  expect(world.payments).toMatchObject([
    {
      ...{ operation: Operation.TRANSFER, userId: ana, toUserId: bia, reference: 'NF-1' },
      metadata: { a: '1', Order: '7' },
    },
    { operation: Operation.DEPOSIT, via: 'itau', metadata: {} },
  ]);
  const edited = rows.map((row) => row.replace('NF-1', 'NF-2').replace(/,7$/, ',8'));
  const again = await world.runFile(lines(head, ...edited), args);
  expect(again.results.map(({ status }) => status)).toEqual(['replayed', 'replayed']);
  const other = rows.map((row) => row.replace('itau', 'caixa').replace('bia@example.com', ana));
  const changed = await world.runFile(lines(head, ...other), [...args, '--allow-new-rows']);
  expect(changed.results[0]).toMatchObject({
    ...{ status: 'invalid', field: 'to', reason: 'TRANSFER_TO_SELF' },
  });
  expect(changed.results[1]).toMatchObject({ status: 'done' });
  expect(world.payments).toHaveLength(3);
});

test('NDJSON has metadata as an object or as keys of their own', async () => {
  const file = join(world.folder, 'rows.ndjson');
  const row = { operation: 'transfer', amount: '1', user: ana, to: bia, reference: 'NF-1' };
  const rows = [
    { ...row, metadata: { a: '1' }, 'meta.b': '2' },
    { ...row, metadata: { a: 1 } },
    { ...row, metadata: [] },
  ];
  await writeFile(file, lines(...rows.map((one) => JSON.stringify(one))));
  const results = join(world.folder, 'results.csv');
  const ran = await world.cli.run(['batch', 'run', file, ...args, '--results', results]);
  expect(ran.exitCode).toBe(3);
  expect(world.payments).toMatchObject([{ metadata: { a: '1', b: '2' }, toUserId: bia }]);
  expect(JSON.parse(ran.out)).toMatchObject({ done: 1, invalid: 2 });
});

test('each wrong cell is named by its row and its column, and the other rows are paid', async () => {
  const rows = [
    `transfer,1,${ana},zoe@example.com,,,,`,
    `transfer,1,${ana},,,,,`,
    `deposit,1,${ana},,Bank A,,,`,
    `deposit,1,${ana},,,,{},${'x'.repeat(257)}`,
    `deposit,1,${ana},,,,"{""b"":1}",`,
    `deposit,1,${ana},,,,,ok`,
  ];
  const ran = await world.runFile(lines(head, ...rows), args);
  expect(ran.exitCode).toBe(3);
  expect(ran.results.map(({ status, field, reason }) => [status, field, reason])).toEqual([
    ['invalid', 'to', 'RECIPIENT_NOT_FOUND'],
    ['invalid', 'to', 'INVALID_ARGUMENT'],
    ['invalid', 'via', 'INVALID_ARGUMENT'],
    ['invalid', 'meta.Order', 'INVALID_ARGUMENT'],
    ['invalid', 'metadata', 'INVALID_ARGUMENT'],
    ['done', '', ''],
  ]);
  expect(ran.results[4]?.['message']).toContain('"b"');
});

test('undos of parts with the same amount are distinct rows, and an edited file pays nothing again', async () => {
  const parent = '7c4f9d7e-8f1c-5a49-8c53-3c2b6f8f7a10';
  const text = lines(
    'operation,amount,currency,user,parent_id',
    `reversal,40,BRL,${ana},${parent}`,
    `reversal,40,BRL,${ana},${parent}`,
    `cancellation,,BRL,${ana},${parent}`,
  );
  const first = await world.runFile(text, args);
  expect(first.results.map(({ status }) => status)).toEqual(['done', 'done', 'done']);
  expect(world.payments.map(({ amountMinor }) => amountMinor)).toEqual([4_000n, 4_000n, undefined]);
  expect(new Set(world.payments.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(3);
  await world.runFile(text, args);
  expect(world.payments).toHaveLength(3);
});

test('a column that is none is named, with those that there are', async () => {
  const ran = await world.runFile(lines('operation,amount,meta.', 'deposit,1,x'), args);
  expect(ran.exitCode).toBe(2);
  expect(ran.err).toContain('unknown column \\"meta.\\"');
  expect(ran.err).toContain('meta.KEY');
});

test('the confirmation says what becomes of the rest of a hold', async () => {
  const ask = async (text: string) => {
    const confirm = () => Promise.resolve(false);
    const options = { isTerminal: true, prompter: { confirm } };
    return (await world.runFile(text, ['--batch-id', 'may'], options)).err;
  };
  const rest = 'what a capture leaves of its hold is released, unless the row has keep_rest';
  const capture = `capture,1.00,${randomUUID()},${randomUUID()}`;
  expect(await ask(`operation,amount,user,parent_id\n${capture}\n`)).toContain(rest);
  expect(await ask(`operation,amount,user\ndeposit,1.00,${randomUUID()}\n`)).not.toContain(rest);
});
