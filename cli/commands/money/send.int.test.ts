import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { CreateTransactionRequest } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  created,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

let cli: Cli;
let server: FakeServer;
let requests: CreateTransactionRequest[];
type Answer = (request: CreateTransactionRequest) => unknown;
let answers: Answer[];

beforeEach(async () => {
  requests = [];
  answers = [];
  server = await startFakeServer({
    createTransaction: async (request: CreateTransactionRequest) => {
      requests.push(request);
      return await (answers.shift() ?? created)(request);
    },
    getUser: () => ({ user: { id: userId, email: 'ana@example.com', role: 1 } }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const keys = () => requests.map(({ item }) => item?.idempotencyKey);

async function listPending(): Promise<string[]> {
  const dir = join(cli.stateDir, 'pending');
  const folders = await readdir(dir).catch(() => []);
  return (await Promise.all(folders.map((folder) => readdir(join(dir, folder))))).flat();
}

describe('answered movements', () => {
  test('a completed deposit is printed, and no pending key is kept', async () => {
    const ran = await cli.run(['deposit', '1.50', '--yes', '--json']);
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(JSON.parse(ran.out)).toEqual({
      id: 'b4013d1d-f8a6-54ce-835e-4d4f030245d6',
      walletId: 'adbcf8b0-01c7-561f-af3e-e0db58fa9b1b',
      seq: 1,
      operation: 'deposit',
      amount: '1.50',
      direction: 'in',
      currency: 'BRL',
      balanceAfter: '123.45',
      occurredAt: '2026-11-22T12:00:00.123Z',
      replayed: false,
    });
    expect(requests[0]?.item).toMatchObject({ userId: '', currency: 'BRL', amountMinor: 150n });
    expect(await listPending()).toEqual([]);
  });

  test('the same deposit, run twice, is sent with two idempotency keys', async () => {
    await cli.run(['deposit', '1', '--yes']);
    await cli.run(['deposit', '1', '--yes']);
    expect(new Set(keys()).size).toBe(2);
  });

  test('cancel and reverse send the parent, and a currency only with --currency', async () => {
    const parentId = '642a0d09-b8ef-5e8c-82b3-a375a5b6aa31';
    const env = { WALLET_CURRENCY: 'EUR' };
    await cli.run(['cancel', parentId.toUpperCase(), '--yes'], { env });
    await cli.run(['reverse', parentId, '--yes', '--currency', 'USD'], { env });
    expect(requests[0]?.item).toMatchObject({ parentId, currency: '', amountMinor: undefined });
    expect(requests[1]?.item).toMatchObject({ parentId, currency: 'USD' });
  });

  test('INSUFFICIENT_FUNDS ends with exit code 6, and no pending key is kept', async () => {
    answers = [() => refusal('INSUFFICIENT_FUNDS', 'the balance is 0.00 BRL', { requestId: 'r1' })];
    const ran = await cli.run(['withdraw', '1', '--yes', '--json']);
    expect(ran.exitCode).toBe(6);
    expect(JSON.parse(ran.err)).toEqual({
      error: {
        reason: 'INSUFFICIENT_FUNDS',
        message: 'the balance is 0.00 BRL',
        hint: 'wallet balance',
        requestId: 'r1',
      },
    });
    expect(await listPending()).toEqual([]);
  });
});

describe('movements of unknown outcome', () => {
  test('an unknown outcome is resolved by a retry with the same idempotency key', async () => {
    answers = [
      () => refusal('OUTCOME_UNKNOWN', 'the answer to COMMIT was lost'),
      (request) => created(request, true),
    ];
    const ran = await cli.run(['deposit', '1', '--yes', '--json']);
    expect(ran.exitCode).toBe(0);
    expect(new Set(keys()).size).toBe(1);
    expect(keys()).toHaveLength(2);
    expect(await listPending()).toEqual([]);
  });

  test('a refusal after an unknown outcome keeps the pending key of the withdrawal', async () => {
    answers = [
      () => refusal('OUTCOME_UNKNOWN', 'lost'),
      () => refusal('INSUFFICIENT_FUNDS', 'too little'),
    ];
    const ran = await cli.run(['withdraw', '1', '--yes']);
    expect(ran.exitCode).toBe(6);
    expect(await listPending()).toEqual([`${keys()[0] ?? ''}.json`]);
  });

  test('a lost connection ends with exit code 9, and the same command reuses its key', async () => {
    answers = [
      () => {
        server.crash();
        return new Promise(() => undefined);
      },
    ];
    const argv = ['withdraw', '1', '--yes', '--timeout', '1s'];
    const lost = await cli.run(argv);
    const key = keys()[0] ?? '';
    expect(lost.exitCode).toBe(9);
    expect(lost.err).toContain(key);
    expect(await listPending()).toEqual([`${key}.json`]);

    const refused = await cli.run(argv);
    expect(refused.exitCode).toBe(9);
    expect(refused.err).toContain('an earlier attempt may have succeeded');

    const port = Number(server.address.split(':')[1]);
    server = await startFakeServer(
      {
        createTransaction: (request: CreateTransactionRequest) => {
          requests.push(request);
          return created(request, true);
        },
      },
      port,
    );
    const other = await cli.run(['withdraw', '2', '--yes']);
    const again = await cli.run(argv);
    const fresh = await cli.run(argv);
    expect([other.exitCode, again.exitCode, fresh.exitCode]).toEqual([0, 0, 0]);
    expect(again.err).toContain(`reuses its idempotency key ${key}`);
    expect(keys()[2]).toBe(key);
    expect(keys()[1]).not.toBe(key);
    expect(keys()[3]).not.toBe(key);
    expect(await listPending()).toEqual([]);
  });

  test('a lost deposit with --idempotency-key ends with 9 and keeps no pending key', async () => {
    answers = [
      () => {
        server.crash();
        return new Promise(() => undefined);
      },
    ];
    const argv = ['deposit', '1', '--yes', '--timeout', '1s', '--idempotency-key', 'order-1'];
    const lost = await cli.run(argv);
    expect(lost.exitCode).toBe(9);
    expect(lost.err).toContain('--idempotency-key order-1');
    expect(await listPending()).toEqual([]);
  });
});

describe('movements that were not made', () => {
  test('a deposit without a server ends with exit code 7, and no pending key is kept', async () => {
    server.crash();
    const ran = await cli.run(['deposit', '1', '--yes', '--json']);
    expect(ran.exitCode).toBe(7);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'UNREACHABLE' } });
    expect(ran.err).toContain('ECONNREFUSED');
    expect(await listPending()).toEqual([]);
  });

  test('a deposit is tried three times on DATABASE_UNAVAILABLE, then ends with 7', async () => {
    answers = [1, 2, 3].map(() => () => refusal('DATABASE_UNAVAILABLE', 'no database'));
    const ran = await cli.run(['deposit', '1', '--yes']);
    expect(ran.exitCode).toBe(7);
    expect(requests).toHaveLength(3);
    expect(await listPending()).toEqual([]);
  });
});

describe('confirmation', () => {
  test('a deposit without a terminal requires --yes, before anything is sent', async () => {
    const ran = await cli.run(['deposit', '1', '--json']);
    expect(ran.exitCode).toBe(2);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'CONFIRMATION_REQUIRED' } });
    expect(requests).toEqual([]);
  });

  test('a confirmation shows server, role, user and amount; declining ends with 130', async () => {
    const ran = await cli.run(['deposit', '1', '--currency', 'EUR', '--no-color'], {
      isTerminal: true,
      prompter: { confirm: () => Promise.resolve(false) },
    });
    expect(ran.exitCode).toBe(130);
    for (const text of [server.address, 'customer', 'ana@example.com', userId, '1.00 EUR']) {
      expect(ran.err).toContain(text);
    }
    expect(requests).toEqual([]);
  });

  test('a deposit with --no-input or --json never asks, and requires --yes', async () => {
    for (const flag of ['--no-input', '--json']) {
      const asked: string[] = [];
      const confirm = (message: string) => (asked.push(message), Promise.resolve(true));
      const argv = ['deposit', '1', flag];
      const ran = await cli.run(argv, { isTerminal: true, prompter: { confirm } });
      expect(ran).toMatchObject({ exitCode: 2, out: '' });
      expect(ran.err).toContain('--yes');
      expect(asked).toEqual([]);
    }
    expect(requests).toEqual([]);
  });

  test('a dry-run deposit needs no confirmation, and says that nothing was changed', async () => {
    const ran = await cli.run(['deposit', '1', '--dry-run']);
    expect(ran.exitCode).toBe(0);
    expect(ran.out).toContain('nothing was changed');
    expect(requests[0]?.dryRun).toBe(true);
    expect(await listPending()).toEqual([]);
  });
});

describe('invalid arguments', () => {
  test.each([
    [['deposit', '-5', '--yes'], 'AMOUNT_INVALID', 'amount'],
    [['deposit', '-5x', '--yes'], 'AMOUNT_INVALID', 'amount'],
    [['deposit', '1,5', '--yes'], 'AMOUNT_INVALID', 'amount'],
    [['deposit', '1.999', '--yes'], 'AMOUNT_INVALID', 'amount'],
    [['deposit', '1', '--currency', 'XXX', '--yes'], 'CURRENCY_UNKNOWN', 'currency'],
    [['cancel', 'nonsense', '--yes'], 'USAGE', 'transaction_id'],
    [['deposit', '1', '--idempotency-key', '', '--yes'], 'USAGE', 'idempotency_key'],
    [['deposit', '1', '--user', 'ana', '--yes'], 'USAGE', 'user'],
  ])('%j is refused before anything is sent', async (argv, reason, field) => {
    const ran = await cli.run([...argv, '--json']);
    expect(ran.exitCode).toBe(2);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason, field } });
    expect(requests).toEqual([]);
  });
});

describe('pending keys of earlier runs', () => {
  test('a declined confirmation keeps the pending key of an earlier run', async () => {
    answers = [
      () => {
        server.crash();
        return new Promise(() => undefined);
      },
    ];
    await cli.run(['withdraw', '1', '--yes', '--timeout', '1s']);
    const port = Number(server.address.split(':')[1]);
    server = await startFakeServer(
      { getUser: () => ({ user: { id: userId, email: 'ana@example.com', role: 1 } }) },
      port,
    );
    const declined = await cli.run(['withdraw', '1'], {
      isTerminal: true,
      prompter: { confirm: () => Promise.resolve(false) },
    });
    expect(declined.exitCode).toBe(130);
    expect(await listPending()).toEqual([`${keys()[0] ?? ''}.json`]);
  });

  test('a pending idempotency key is reused by the same API key only', async () => {
    answers = [() => refusal('INTERNAL', 'something went wrong')];
    const env = { WALLET_TOKEN: 'dwk_opaque' };
    const failed = await cli.run(['withdraw', '1', '--yes'], { env });
    expect(failed.exitCode).toBe(1);
    expect(failed.err).toContain(keys()[0] ?? 'no key');
    await cli.run(['withdraw', '1', '--yes'], { env: { WALLET_TOKEN: 'dwk_other' } });
    await cli.run(['withdraw', '1', '--yes'], { env });
    expect(keys()[1]).not.toBe(keys()[0]);
    expect(keys()[2]).toBe(keys()[0]);
  });
});
