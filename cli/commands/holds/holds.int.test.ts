import { afterEach, beforeEach, expect, test } from 'vitest';

import { User, type ResolveUsersRequest } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Hold,
  HoldState,
  type GetHoldRequest,
  type ListHoldsRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  walletId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const ownerId = '1f6c1c0e-9a57-4b5e-8f0a-0d7d6a9a7f10';
const holdId = '642a0d09-b8ef-5e8c-82b3-a375a5b6aa31';
const holdOf = (fields: Partial<Hold>): Hold =>
  Hold.fromPartial({
    ...{ id: holdId, walletId, userId: ownerId, currency: 'BRL', amountMinor: 123_450n },
    ...{ capturedMinor: 23_450n, leftMinor: 100_000n, state: HoldState.OPEN },
    ...{ contraAccount: 'merchant:Hotel Sol', placedAt: new Date('2026-11-22T12:00:00Z') },
    ...{ expiresAt: new Date('2026-11-29T12:00:00Z'), ...fields },
  });

let cli: Cli;
let server: FakeServer;
let lists: ListHoldsRequest[];
let gets: GetHoldRequest[];

beforeEach(async () => {
  [lists, gets] = [[], []];
  server = await startFakeServer({
    listHolds: (request: ListHoldsRequest) => {
      lists.push(request);
      const other = {
        id: holdId.replace('6', '7'),
        currency: 'EUR',
        contraAccount: 'external:itau',
      };
      const holds = [holdOf({}), holdOf(other)].filter(
        ({ currency }) => request.currency === '' || currency === request.currency,
      );
      return { holds, nextPageToken: '', asOf: new Date() };
    },
    getHold: (request: GetHoldRequest) => {
      gets.push(request);
      const { holdId: id } = request;
      return id === holdId ? { hold: holdOf({}) } : refusal('HOLD_NOT_FOUND', 'there is no hold');
    },
    getUser: () => ({ user: { id: userId, email: 'op@example.com', role: 2 } }),
    resolveUsers: ({ userIds: [id = ownerId] }: ResolveUsersRequest) => ({
      users: [User.fromPartial({ id, email: 'ana@example.com' })],
    }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line: string, options?: Parameters<Cli['run']>[1]) =>
  cli.run(['holds', ...line.split(' ')], { env: { WALLET_TIMEZONE: 'UTC' }, ...options });

test('holds list fits 80 columns, and shows whom each hold is for and when it ends', async () => {
  const ran = await run('list --user ana@example.com --state open --no-color', {
    ...{ isTerminal: true, columns: 80, env: { WALLET_TIMEZONE: 'UTC' } },
  });
  const lines = ran.out.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^HOLD +STATE +LEFT +EXPIRES/);
  expect(lines[1]).toContain(holdId);
  expect(lines[1]).toContain('1,000.00 BRL');
  expect(lines.every((line) => line.length <= 80)).toBe(true);
  expect(lists[0]).toMatchObject({ userId: ownerId, currency: 'BRL', state: HoldState.OPEN });
});

test('holds list shows staff whose each hold is, where an id has no room', async () => {
  const ran = await run('list --no-color', {
    ...{ isTerminal: true, columns: 120, env: { WALLET_TIMEZONE: 'UTC' } },
  });
  expect(ran.out.split('\n')[1]).toContain('ana@example');
  expect(ran.out).not.toContain(ownerId);
});

test('holds list --json has each hold, with the address of its owner', async () => {
  const ran = await run('list --json');
  const { items } = JSON.parse(ran.out) as { items: unknown[] };
  expect(items[0]).toEqual({
    ...{
      id: holdId,
      walletId,
      userId: ownerId,
      amount: '1234.50',
      captured: '234.50',
      left: '1000.00',
    },
    ...{ currency: 'BRL', state: 'open', for: 'merchant:Hotel Sol', userEmail: 'ana@example.com' },
    ...{ placedAt: '2026-11-22T12:00:00.000Z', expiresAt: '2026-11-29T12:00:00.000Z' },
  });
  expect(items).toHaveLength(2);
  expect(lists.at(-1)).toMatchObject({ userId: '', currency: '' });
  const euros = await run('list --currency EUR -o csv --columns left,currency,for');
  expect(euros.out.trim().split(/\r?\n/)).toEqual([
    'left,currency,for',
    '1000.00,EUR,external:itau',
  ]);
});

test('holds show prints one hold, and an unknown one ends with 5', async () => {
  const ran = await run(`show ${holdId}`);
  expect(ran.out).toMatch(/^left +1,000\.00 BRL$/m);
  expect(ran.out).toMatch(/^for +Hotel Sol$/m);
  expect(ran.out).toMatch(/^expires +2026-11-29 12:00:00$/m);
  expect(gets).toEqual([{ holdId, userId: '' }]);
  const absent = await run(`show ${holdId.replace('6', '8')} --json`);
  expect(absent.exitCode).toBe(5);
  expect(JSON.parse(absent.err)).toMatchObject({
    error: { reason: 'HOLD_NOT_FOUND', hint: 'wallet holds list' },
  });
});

test.each([
  ['list --state opne', 'state', 'open'],
  ['list --currency XXX', 'currency', 'ISO 4217'],
  ['show sol', 'hold_id', 'not the id of a hold'],
])('%s is refused before anything is sent', async (line, field, problem) => {
  const ran = await run(`${line} --json`);
  expect(ran.exitCode).toBe(2);
  const { error } = JSON.parse(ran.err) as { error: Record<string, string> };
  expect(error['field']).toBe(field);
  expect(`${error['message']} ${error['hint'] ?? ''}`).toContain(problem);
  expect([lists, gets]).toEqual([[], []]);
});
