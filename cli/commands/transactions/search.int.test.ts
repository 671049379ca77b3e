import { afterEach, beforeEach, expect, test } from 'vitest';

import { Role } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  SearchStatus,
  type SearchLinesRequest,
  type SearchLinesResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
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

const other = '0fce9ee4-c2ea-4886-b403-99d8567e324d';
let answers: Partial<SearchLinesResponse>[];
let requests: SearchLinesRequest[];
let callerRole: Role;
let server: FakeServer;
let cli: Cli;

const lineOf = (seq: bigint, contraAccount: string) => ({
  ...{ walletId, userId, currency: 'BRL', exponent: 2 },
  metadata: { reference: 'NF-7', order: '1042' },
  line: {
    ...{ seq, transactionId: other, operation: Operation.TRANSFER, contraAccount },
    ...{ debitMinor: 1_050n, creditMinor: 0n, balanceAfterMinor: 8_950n, hash: Buffer.alloc(32) },
    ...{ occurredAt: new Date('2026-11-22T21:42:10.123Z'), description: 'rent' },
    parentId: undefined,
  },
});

const complete = { status: SearchStatus.COMPLETE, missing: '', nextPageToken: '' };

beforeEach(async () => {
  answers = [];
  requests = [];
  callerRole = Role.CUSTOMER;
  server = await startFakeServer({
    getUser: () => ({ user: { id: userId, email: 'ana@example.com', role: callerRole } }),
    searchLines: (request: SearchLinesRequest) => {
      requests.push(request);
      if (request.key === 'note')
        return refusal('INVALID_ARGUMENT', 'the keys that can: reference');
      return { lines: [], ...complete, ...answers[requests.length - 1] };
    },
  });
  cli = await createCli({
    ...{ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken(), WALLET_TIMEZONE: 'UTC' },
  });
});
afterEach(async () => {
  server.crash();
  await cli.remove();
});

const list = (...argv: string[]) => cli.run(['transactions', 'list', ...argv]);

test('a search prints transactions, page by page', async () => {
  answers = [{ lines: [lineOf(7n, `user:${other}`)], nextPageToken: 'more' }, {}];
  const ran = await list('--reference', 'NF-7', '--json', '--all');
  expect(ran).toMatchObject({ exitCode: 0, err: '' });
  const { items } = JSON.parse(ran.out) as { items: object[] };
  expect(items).toEqual([
    {
      ...{ id: other, walletId, seq: 7, operation: 'transfer', amount: '10.50', direction: 'out' },
      ...{ currency: 'BRL', balanceAfter: '89.50', counterparty: other, description: 'rent' },
      ...{ reference: 'NF-7', metadata: { reference: 'NF-7', order: '1042' } },
      ...{ occurredAt: '2026-11-22T21:42:10.123Z', replayed: false },
    },
  ]);
  expect(requests.map(({ key, value, pageToken }) => [key, value, pageToken])).toEqual([
    ['reference', 'NF-7', ''],
    ['reference', 'NF-7', 'more'],
  ]);
});

test('a search of all wallets is of all currencies, unless one was chosen', async () => {
  const currencyOf = async (role: Role, argv: readonly string[], env = {}) => {
    const one = await createCli({
      ...{ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken(), ...env },
    });
    requests.length = 0;
    callerRole = role;
    await one.run(['transactions', 'list', '--reference', 'NF-7', ...argv]);
    await one.remove();
    return requests.map(({ currency }) => currency);
  };
  expect(await currencyOf(Role.OPERATOR, [])).toEqual(['']);
  expect(await currencyOf(Role.OPERATOR, ['--currency', 'EUR'])).toEqual(['EUR']);
  expect(await currencyOf(Role.OPERATOR, [], { WALLET_CURRENCY: 'USD' })).toEqual(['USD']);
  expect(await currencyOf(Role.OPERATOR, ['--user', userId])).toEqual(['BRL']);
  expect(await currencyOf(Role.CUSTOMER, [])).toEqual(['BRL']);
});

test('a hold that is found has moved nothing, and says what it reserved', async () => {
  const { line, ...found } = lineOf(7n, 'merchant:Hotel Sol');
  const none = { debitMinor: 0n, creditMinor: 0n };
  const held = { operation: Operation.HOLD, heldMinor: 5_000n, heldAfterMinor: 6_000n };
  answers = [{ lines: [{ ...found, line: { ...line, ...none, ...held } }] }];
  const ran = await list('--reference', 'NF-7', '--json');
  const { items } = JSON.parse(ran.out) as { items: object[] };
  expect(items).toMatchObject([
    {
      ...{ operation: 'hold', amount: '50.00', direction: 'none', balanceAfter: '89.50' },
      ...{ held: '50.00', heldAfter: '60.00', availableAfter: '29.50' },
    },
  ]);
});

test('--meta searches by its key, and the value may have an equals sign', async () => {
  answers = [{ lines: [lineOf(7n, 'merchant:Bakery')] }];
  const ran = await list('--meta', 'order=a=b', '--user', userId, '--currency', 'EUR');
  expect(ran.exitCode).toBe(0);
  expect(ran.out).toContain('-10.50');
  expect(requests[0]).toMatchObject({ key: 'order', value: 'a=b', userId, currency: 'EUR' });
});

test.each([
  [SearchStatus.BEHIND, 10],
  [SearchStatus.UNKNOWN, 0],
])('lines that may be missing are said on any page, with status %i', async (status, exitCode) => {
  answers = [
    { lines: [lineOf(7n, 'x')], nextPageToken: 'more', status, missing: 'the lines are late' },
    {},
  ];
  const ran = await list('--reference', 'NF-7', '--all', '--quiet');
  expect(ran.exitCode).toBe(exitCode);
  expect(ran.err).toContain('transactions may be missing: the lines are late');
});

test('a key that cannot be searched is refused with those that can', async () => {
  const ran = await list('--meta', 'note=x');
  expect(ran.exitCode).toBe(2);
  expect(ran.err).toContain('the keys that can: reference');
});

test.each([
  [['--meta', 'order'], '"order" is not of the form KEY=VALUE'],
  [['--reference', ''], '--reference must not be empty'],
  [['--meta', 'order='], 'the value of "order" must not be empty'],
  [['--reference', 'x'.repeat(257)], '--reference must have at most 256 characters'],
  [['--reference', 'a', '--meta', 'a=b'], '--reference and --meta exclude each other'],
  [['--meta', 'a=b', '--from', '2026-01-01'], '--meta and --from exclude each other'],
  [['--reference', 'a', '--operation', 'deposit'], '--reference and --operation exclude'],
  [['--reference', 'a', '--no-undone'], '--reference and --undone exclude each other'],
])('%j is refused before anything is sent', async (argv, text) => {
  const ran = await list(...argv);
  expect(ran.exitCode).toBe(2);
  expect(ran.err).toContain(text);
  expect(requests).toEqual([]);
});
