import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import {
  Hold,
  type BatchCreateTransactionsRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  created,
  fakeToken,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const ana = '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10';
const holdId = '642a0d09-b8ef-5e8c-82b3-a375a5b6aa31';

let cli: Cli;
let server: FakeServer;
let requests: BatchCreateTransactionsRequest[];
let reason: string | undefined;

beforeEach(async () => {
  [requests, reason] = [[], undefined];
  server = await startFakeServer({
    batchCreateTransactions: (request: BatchCreateTransactionsRequest) => {
      requests.push(request);
      const { items, dryRun } = request;
      const results = items.map((item) => ({
        outcome:
          reason === undefined
            ? { $case: 'created', value: created({ item, dryRun }) }
            : { $case: 'refusal', value: { reason, message: 'refused', metadata: {} } },
      }));
      return { results };
    },
    getHold: () => ({
      hold: Hold.fromPartial({ id: holdId, contraAccount: 'merchant:Hotel Sol' }),
    }),
    getUser: () => ({ user: { id: userId, email: 'op@example.com', role: 2 } }),
    resolveUsers: () => ({ users: [{ id: ana, email: 'ana@example.com', role: 1 }] }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});
afterEach(async () => {
  server.crash();
  await cli.remove();
});

async function run(
  rows: readonly string[],
  args: readonly string[],
  options: Parameters<Cli['run']>[1] = {},
) {
  const file = join(cli.stateDir, '..', 'group.csv');
  await writeFile(file, [...rows, ''].join('\n'));
  return cli.run(['group', 'run', file, ...args], options);
}

const head = 'operation,amount,user,currency';

test.each([
  ['withdraw,20.00,ana@example.com,', [], 'wallet balance --user ana@example.com'],
  [`withdraw,20.00,${ana},EUR`, [], `wallet balance --user ${ana} --currency EUR`],
  [
    'withdraw,20.00,ana@example.com,',
    ['--currency', 'EUR'],
    'wallet balance --currency EUR --user ana@example.com',
  ],
] as const)('the hint of the refused row %s names its wallet', async (row, args, hint) => {
  reason = 'INSUFFICIENT_FUNDS';
  const ran = await run([head, row], ['-y', ...args]);
  expect([ran.exitCode, ran.err.split('\n').at(-2)]).toEqual([6, `hint: ${hint}`]);
});

test.each([
  ['CAPTURE_EXCEEDS_HOLD', 'release what is left, or omit --amount: wallet holds show'],
  ['HOLD_CLOSED', `wallet holds show --user ana@example.com ${holdId}`],
])('the hint of %s names the hold and its user', async (refused, hint) => {
  reason = refused;
  const ran = await run(
    ['operation,amount,user,parent_id', `release,50,ana@example.com,${holdId}`],
    ['-y'],
  );
  expect(ran.err).toContain(hint);
  expect(ran.err).toContain(`wallet holds show --user ana@example.com ${holdId}`);
});

test('CSV has the ids of the users and of the group', async () => {
  const args = ['-y', '-o', 'csv', '--columns', 'user_id,group_id'];
  const ran = await run([head, 'deposit,1.00,ana@example.com,'], args);
  const groupId = requests[0]?.items[0]?.groupId ?? '';
  expect(ran.out).toBe(`user_id,group_id\r\n${userId},${groupId}\r\n`);
});

test('the confirmation says whom a capture pays, and what becomes of the rest', async () => {
  const captures = [`5.00,${holdId},`, `5.00,${holdId},true`, `,${holdId},`];
  const rows = captures.map((cells) => `capture,${cells}`);
  const { err } = await run(
    ['operation,amount,parent_id,keep_rest', ...rows],
    ['--user', ana, '--no-color'],
    { isTerminal: true, prompter: { confirm: () => Promise.resolve(false) } },
  );
  const of = `of user ${ana} of hold ${holdId} for Hotel Sol`;
  expect(err).toContain(`capture 5.00 BRL ${of}; the rest of the hold is released\n`);
  expect(err).toContain(`capture 5.00 BRL ${of}; the rest stays reserved\n`);
  expect(err).toContain(`capture all that is left ${of}\n`);
  expect(requests).toEqual([]);
});
