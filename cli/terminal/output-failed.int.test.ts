import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync, existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { CreateTransactionRequest } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { WriteFault } from './io.ts';
import {
  createCli,
  created,
  fakeToken,
  startFakeServer,
  userId,
  walletId,
  type Cli,
  type FakeServer,
} from '../test-support.ts';

const stdoutFault: WriteFault = { kind: 'failed', message: 'no space left on device (ENOSPC)' };
const transactionId = 'b4013d1d-f8a6-54ce-835e-4d4f030245d6';

let cli: Cli;
let server: FakeServer;
let keys: string[];

beforeEach(async () => {
  keys = [];
  server = await startFakeServer({
    createTransaction: (request: CreateTransactionRequest) => {
      const key = request.item?.idempotencyKey ?? '';
      keys.push(key);
      return created(request, keys.indexOf(key) < keys.length - 1);
    },
    getBalance: () => ({
      wallet: {
        ...{ id: walletId, userId, currency: 'BRL', exponent: 2 },
        ...{ balanceMinor: 5n, seq: 1n, status: 1 },
      },
      asOf: new Date(),
    }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

async function listPending(): Promise<string[]> {
  const dir = join(cli.stateDir, 'pending');
  const folders = await readdir(dir).catch(() => []);
  return (await Promise.all(folders.map((folder) => readdir(join(dir, folder))))).flat();
}

describe('movements whose results cannot be written', () => {
  const argv = ['withdraw', '1', '--yes', '--json'];

  test('a withdrawal whose result cannot be written names its key, and is replayed', async () => {
    const lost = await cli.run(argv, { stdoutFault });
    expect(lost).toMatchObject({ exitCode: 1, out: '' });
    expect(lost.err.trimEnd().split('\n')).toHaveLength(1);
    const { error } = JSON.parse(lost.err) as { error: { reason: string; message: string } };
    expect(error.reason).toBe('OUTPUT_FAILED');
    for (const text of [keys[0] ?? 'no key', transactionId, 'ENOSPC']) {
      expect(error.message).toContain(text);
    }
    expect(await listPending()).toEqual([`${keys[0] ?? ''}.json`]);

    const again = await cli.run(argv);
    expect(again.exitCode).toBe(0);
    expect(JSON.parse(again.out)).toMatchObject({ id: transactionId, replayed: true });
    expect(new Set(keys).size).toBe(1);
    // Only that it goes on is said, not that the key was used before.
    expect(again.err.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(again.err)).toMatchObject({ note: {} });
    expect(await listPending()).toEqual([]);
  });

  test('a result that cannot be written is reported with the given --idempotency-key', async () => {
    const lost = await cli.run([...argv, '--idempotency-key', 'order-1'], { stdoutFault });
    expect(lost.exitCode).toBe(1);
    expect(lost.err).toContain('--idempotency-key order-1');
  });

  test('a closed pipe as stdout is no failure, and no pending key is kept', async () => {
    const closed = await cli.run(argv, { stdoutFault: { kind: 'closed', message: 'EPIPE' } });
    expect(closed).toMatchObject({ exitCode: 0, err: '' });
    expect(await listPending()).toEqual([]);
  });
});

test('a read whose output cannot be written ends with exit code 1 and one line', async () => {
  const lost = await cli.run(['balance'], { stdoutFault });
  expect(lost.exitCode).toBe(1);
  expect(lost.err).toMatch(/^error: .*ENOSPC.* \(OUTPUT_FAILED\)\n$/);
  expect((await cli.run(['--help'], { stdoutFault })).exitCode).toBe(1);
});

test.runIf(existsSync('/dev/full'))(
  'a full device as stdout causes no stack trace and no second payment',
  async () => {
    const run = async (argv: readonly string[], stdout: 'pipe' | number) => {
      const main = fileURLToPath(new URL('../main.ts', import.meta.url));
      const child = spawn(process.execPath, ['--import', 'tsx', main, ...argv], {
        stdio: ['ignore', stdout, 'pipe'],
        env: {
          ...process.env,
          WALLET_SERVER: server.address,
          WALLET_TOKEN: fakeToken(),
          WALLET_CONFIG_DIR: cli.configDir,
          WALLET_STATE_DIR: cli.stateDir,
        },
      });
      let err = '';
      child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
      child.stdout?.resume();
      const [exitCode] = (await once(child, 'close')) as [number];
      return { exitCode, err };
    };
    const full = openSync('/dev/full', 'w');
    const argv = ['deposit', '1', '--yes'];
    const lost = await run(argv, full);
    const again = await run(argv, 'pipe');
    const balance = await run(['balance', '--json'], full);
    const version = await run(['--version'], full);
    closeSync(full);
    expect(lost.exitCode).toBe(1);
    expect(lost.err).toMatch(/^error: .*\(OUTPUT_FAILED\)\nhint: .*\n$/);
    expect(again.exitCode).toBe(0);
    expect(new Set(keys).size).toBe(1);
    expect(keys).toHaveLength(2);
    expect(balance.exitCode).toBe(1);
    expect(balance.err.trimEnd().split('\n')).toHaveLength(1);
    expect(version.exitCode).toBe(1);
    expect(version.err).not.toContain('    at ');
  },
);
