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

describe('refusals after an unknown outcome', () => {
  test.each([
    'TOKEN_EXPIRED',
    'PERMISSION_DENIED',
    'OPERATION_NOT_ALLOWED',
    'THROTTLED',
    'CANCELLED',
    'INVALID_ARGUMENT',
    'WALLET_CLOCK_AHEAD',
    'INTERNAL',
  ] as const)('after an unknown outcome, %s keeps the key, with exit code 9', async (reason) => {
    answers = [() => refusal('OUTCOME_UNKNOWN', 'lost'), () => refusal(reason, 'no')];
    const ran = await cli.run(['withdraw', '1', '--yes', '--json']);
    expect(ran.exitCode).toBe(9);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'OUTCOME_UNKNOWN' } });
    expect(ran.err).toContain(keys()[0] ?? 'no key');
    expect(await listPending()).toEqual([`${keys()[0] ?? ''}.json`]);
  });

  test('an unknown outcome of an earlier run stays unknown if the next is refused', async () => {
    answers = [() => refusal('INTERNAL', 'something went wrong')];
    await cli.run(['withdraw', '1', '--yes']);
    answers = [() => refusal('OPERATION_NOT_ALLOWED', 'no')];
    expect(await cli.run(['withdraw', '1', '--yes'])).toMatchObject({ exitCode: 9 });
    answers = [() => refusal('INSUFFICIENT_FUNDS', 'no')];
    expect(await cli.run(['withdraw', '1', '--yes'])).toMatchObject({ exitCode: 6 });
    expect(new Set(keys()).size).toBe(1);
  });
});
