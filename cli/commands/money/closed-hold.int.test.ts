import { afterEach, beforeEach, expect, test } from 'vitest';

import {
  Hold,
  HoldState,
  type CreateTransactionRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  created,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  walletId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const holdId = '642a0d09-b8ef-5e8c-82b3-a375a5b6aa31';
const placed = Hold.fromPartial({
  ...{ id: holdId, walletId, userId, currency: 'BRL', amountMinor: 5_000n },
  ...{ leftMinor: 3_000n, state: HoldState.OPEN, contraAccount: 'merchant:Hotel Sol' },
  expiresAt: new Date('2026-11-29T12:00:00Z'),
});

let cli: Cli;
let server: FakeServer;
let requests: CreateTransactionRequest[];
let refused: Error | undefined;
let hold: Hold;
let asked: string[];

beforeEach(async () => {
  [requests, refused, hold, asked] = [[], undefined, placed, []];
  server = await startFakeServer({
    createTransaction: (request: CreateTransactionRequest) => {
      requests.push(request);
      return refused ?? created(request);
    },
    getHold: () => ({ hold }),
    getUser: () => ({ user: { id: userId, email: 'op@example.com', role: 2 } }),
    resolveUsers: () => ({ users: [{ id: userId, email: 'ana@example.com', role: 1 }] }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

/** Runs at a terminal, and answers no. */
function ask(line: string) {
  const confirm = (message: string) => (asked.push(message), Promise.resolve(false));
  return cli.run(line.split(' '), { isTerminal: true, prompter: { confirm } });
}

test.each([
  ['capture', '', { state: HoldState.CAPTURED, leftMinor: 0n }, 'nothing is left', 'holds show'],
  ['release', '', { state: HoldState.RELEASED, leftMinor: 0n }, 'nothing is left', 'holds show'],
  ['capture', '', { state: HoldState.EXPIRED, leftMinor: 0n }, 'expired at 2026', 'wallet hold'],
  ['capture', ' --amount 99', {}, '30.00 of 50.00 BRL are left', 'capture what is left'],
  ['release', ' --amount 99', {}, '30.00 of 50.00 BRL are left', 'release what is left'],
] as const)('a %s%s that cannot be is refused unasked', async (name, part, is, message, hint) => {
  hold = { ...placed, ...is };
  const line = `${name} ${holdId} --user ${userId}${part}`;
  const ran = await ask(line);
  expect([ran.exitCode, asked, requests]).toEqual([6, [], []]);
  expect(ran.err).toContain(message);
  expect(ran.err).toContain(hint);
  // What was done under a key is printed again, whatever has become of the hold since.
  await ask(`${line} --idempotency-key k`);
  expect(asked).toHaveLength(1);
  await cli.run([...line.split(' '), '--yes']);
  expect(requests).toHaveLength(1);
});

test('a capture without an answer is continued, though its hold is closed since', async () => {
  refused = refusal('INTERNAL', 'something went wrong');
  const line = `capture ${holdId} --user ${userId}`;
  await cli.run([...line.split(' '), '--yes']);
  hold = { ...placed, state: HoldState.CAPTURED, leftMinor: 0n };
  await ask(line);
  expect(asked).toHaveLength(1);
});

test('a hold that cannot be reversed is released', async () => {
  refused = refusal('PARENT_NOT_UNDOABLE', 'a reversal cannot undo a hold');
  const argv = ['reverse', holdId, '--user', userId, '--yes', '--json'];
  const { err } = await cli.run(argv);
  expect(err).toContain(`wallet release --user ${userId} ${holdId}`);
  refused = refusal('PARENT_NOT_UNDOABLE', 'only staff can undo a transfer');
  expect((await cli.run(argv)).err).toContain(`transactions show --user ${userId} ${holdId}`);
});
