import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Server, ServerCredentials, type handleBidiStreamingCall } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';

import type { Reason } from '../../../core/reasons.ts';
import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  WalletServiceService,
  type StreamTransactionsRequest,
  type StreamTransactionsResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createCli, fakeToken, refusal, userId, type Cli } from '../../test-support.ts';

/**
 * For each stream in turn: how it ends with its rows unanswered, or what each row is refused for.
 */
type Script = { readonly ends: Reason } | { readonly refuses: Reason };

let server: Server;
let cli: Cli;
let folder: string;
let script: Script[];
let keys: string[];
/** What each item that arrived said of its earlier attempts. */
let sentSince: (string | undefined)[];
/** Asked for this often, as 1, 2, … */
let positions: number;

const stream: handleBidiStreamingCall<StreamTransactionsRequest, StreamTransactionsResponse> = (
  call,
) => {
  const step = script.shift();
  call.on('data', ({ items }: StreamTransactionsRequest) => {
    if (items.length === 0) {
      positions += 1;
      return void call.write({ results: [], ledgerPosition: String(positions) });
    }
    sentSince.push(...items.map((item) => item.sentSince));
    keys.push(...items.map((item) => item.idempotencyKey));
    if (!step) return;
    if ('ends' in step) return void call.emit('error', refusal(step.ends, 'it ends'));
    const value = { reason: step.refuses, message: 'no', metadata: {} };
    const results = items.map((_item, index) => ({
      index,
      outcome: { $case: 'refusal' as const, value },
    }));
    call.write({ results });
  });
  call.on('end', () => call.end());
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-doubt-'));
  script = [];
  keys = [];
  sentSince = [];
  positions = 0;
  server = new Server();
  server.addService(WalletServiceService, { streamTransactions: stream });
  server.addService(AuthServiceService, {
    getUser: (_call: unknown, callback: (err: null, answer: object) => void) =>
      callback(null, { user: { id: userId, email: 'op@example.com', role: 2 } }),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  cli = await createCli({ WALLET_SERVER: `127.0.0.1:${port}`, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.forceShutdown();
  await cli.remove();
  await rm(folder, { recursive: true, force: true });
});

async function runBatch() {
  const file = join(folder, 'batch.csv');
  const rows = [1, 2, 3].map((i) => `deposit,${i}.00,${userId},key-${i}`);
  await writeFile(file, `operation,amount,user,key\n${rows.join('\n')}\n`);
  const ran = await cli.run(['batch', 'run', file, '--yes', '--json']);
  const results = await readFile(`${file}.results.csv`, 'utf8').catch(() => '');
  const statuses = results
    .split('\n')
    .slice(1, -1)
    .map((line) => line.split(',')[1]);
  return { ran, statuses };
}

test('a row of unknown outcome stays unknown after a refusal outside the ledger', async () => {
  script = [{ ends: 'OUTCOME_UNKNOWN' }, { refuses: 'OPERATION_NOT_ALLOWED' }];
  const { ran, statuses } = await runBatch();
  expect(statuses).toEqual(['unknown', 'unknown', 'unknown']);
  expect(ran.exitCode).toBe(9);
  expect(JSON.parse(ran.out)).toMatchObject({ rows: 3, unknown: 3, rejected: 0 });
  expect(new Set(keys).size).toBe(3);
});

test('an unknown outcome of a row stays unknown in the next run of its batch', async () => {
  script = [{ ends: 'PERMISSION_DENIED' }, { refuses: 'WALLET_CLOCK_AHEAD' }];
  const first = await runBatch();
  expect(first.ran.exitCode).toBe(8);
  const { ran, statuses } = await runBatch();
  expect(statuses).toEqual(['unknown', 'unknown', 'unknown']);
  expect(ran.exitCode).toBe(9);
});

test('a refusal by the ledger turns a row of unknown outcome into a rejected one', async () => {
  script = [{ ends: 'OUTCOME_UNKNOWN' }, { refuses: 'INSUFFICIENT_FUNDS' }];
  const { ran, statuses } = await runBatch();
  expect(statuses).toEqual(['rejected', 'rejected', 'rejected']);
  expect(ran.exitCode).toBe(3);
});

test('rows without an earlier attempt are rejected by a refusal outside the ledger', async () => {
  script = [{ refuses: 'OPERATION_NOT_ALLOWED' }];
  expect((await runBatch()).statuses).toEqual(['rejected', 'rejected', 'rejected']);
});

test('rows that are sent again name the position from before their first attempt', async () => {
  script = [{ ends: 'OUTCOME_UNKNOWN' }, { ends: 'PERMISSION_DENIED' }];
  expect((await runBatch()).ran.exitCode).toBe(8);
  expect(sentSince).toEqual([undefined, undefined, undefined, '1', '1', '1']);
  script = [{ refuses: 'INSUFFICIENT_FUNDS' }];
  expect((await runBatch()).ran.exitCode).toBe(3);
  expect(sentSince.slice(6)).toEqual(['1', '1', '1']);
  expect(positions).toBe(1);
  // A run of its own, after the end of that one.
  script = [{ refuses: 'INSUFFICIENT_FUNDS' }];
  await runBatch();
  expect(sentSince.slice(9)).toEqual([undefined, undefined, undefined]);
  expect(positions).toBe(2);
});
