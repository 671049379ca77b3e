import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { CreateTransactionRequest } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  created,
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const hourMs = 3_600_000;

let cli: Cli;
let server: FakeServer;
let requests: CreateTransactionRequest[];
let isLost: boolean;

beforeEach(async () => {
  requests = [];
  isLost = true;
  server = await startFakeServer({
    createTransaction: (request: CreateTransactionRequest) => {
      requests.push(request);
      return isLost ? refusal('INTERNAL', 'lost') : created(request);
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

async function pendingFiles(): Promise<string[]> {
  const dir = join(cli.stateDir, 'pending');
  const names = await readdir(dir, { recursive: true }).catch(() => []);
  return names.filter((name) => name.endsWith('.json')).map((name) => join(dir, name));
}

/** Runs a payment whose outcome stays unknown, as if that had been so long ago; gives its key. */
async function leaveUnknown(ageMs: number): Promise<string> {
  const ran = await cli.run(['withdraw', '1', '--yes']);
  // INTERNAL, which leaves the outcome unknown.
  expect(ran.exitCode).toBe(1);
  for (const file of await pendingFiles()) {
    const content = JSON.parse(await readFile(file, 'utf8')) as object;
    await writeFile(file, JSON.stringify({ ...content, createdAtMs: Date.now() - ageMs }));
  }
  isLost = false;
  return requests.splice(0)[0]?.item?.idempotencyKey ?? 'no key';
}

const sentKeys = () => requests.map(({ item }) => item?.idempotencyKey);

describe('keys of unfinished commands', () => {
  test('a command that goes on under a remembered key says how old it is', async () => {
    const key = await leaveUnknown(3 * hourMs + 1_000);
    const ran = await cli.run(['withdraw', '1', '--yes', '--quiet']);
    expect(ran.exitCode).toBe(0);
    expect(ran.err).toContain('3 hours ago');
    expect(ran.err).toContain(key);
    expect(sentKeys()).toEqual([key]);
    expect(await pendingFiles()).toEqual([]);
  });

  test('without a terminal, a key older than a day is not used unasked, in spite of --yes', async () => {
    const key = await leaveUnknown(40 * 24 * hourMs);
    const ran = await cli.run(['withdraw', '1', '--yes', '--json']);
    expect(ran).toMatchObject({ exitCode: 2, out: '' });
    expect(JSON.parse(ran.err)).toMatchObject({
      error: {
        reason: 'CONFIRMATION_REQUIRED',
        message: expect.stringMatching(/40 days ago.*nothing was sent/) as string,
        hint: expect.stringMatching(
          new RegExp(`--idempotency-key ${key}; to continue it.*--new-key`),
        ) as string,
      },
    });
    expect(requests).toEqual([]);
    expect(await pendingFiles()).toHaveLength(1);
  });

  test('the key that the hint names continues the earlier run, and ends it', async () => {
    const key = await leaveUnknown(40 * 24 * hourMs);
    const ran = await cli.run(['withdraw', '1', '--yes', '--idempotency-key', key]);
    expect(ran.exitCode).toBe(0);
    expect(sentKeys()).toEqual([key]);
    expect(await pendingFiles()).toEqual([]);
  });

  test('--new-key does it anew, says so, and forgets the old key', async () => {
    const key = await leaveUnknown(40 * 24 * hourMs);
    const ran = await cli.run(['withdraw', '1', '--yes', '--quiet', '--new-key']);
    expect(ran.exitCode).toBe(0);
    expect(ran.err).toContain(key);
    expect(sentKeys()).toHaveLength(1);
    expect(sentKeys()).not.toContain(key);
    expect(await pendingFiles()).toEqual([]);
    const both = ['withdraw', '1', '--yes', '--new-key', '--idempotency-key', 'k'];
    expect((await cli.run(both)).exitCode).toBe(2);
  });

  test.each([
    [true, 0],
    [false, 130],
  ])('at a terminal an old key is asked about; an answer of %s ends with %s', async (...row) => {
    const [answer, exitCode] = row;
    const key = await leaveUnknown(2 * 24 * hourMs);
    const questions: string[] = [];
    const confirm = (question: string) => {
      questions.push(question);
      return Promise.resolve(answer);
    };
    const options = { isTerminal: true, prompter: { confirm } };
    const ran = await cli.run(['withdraw', '1', '--yes'], options);
    expect(ran.exitCode).toBe(exitCode);
    expect(questions).toEqual(['Continue that one, instead of doing it once more?']);
    expect(ran.err).toContain('2 days ago');
    expect(sentKeys()).toEqual(answer ? [key] : []);
    expect(await pendingFiles()).toHaveLength(answer ? 0 : 1);
  });

  test('a key whose age is unknown is asked about', async () => {
    await leaveUnknown(hourMs);
    for (const file of await pendingFiles()) await writeFile(file, '');
    const ran = await cli.run(['withdraw', '1', '--yes']);
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain('at an unknown time');
  });
});
