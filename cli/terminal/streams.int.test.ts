import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  Statement,
  StatementStatus,
  type GenerateStatementRequest,
} from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  Operation,
  type CreateTransactionRequest,
  type ListTransactionsRequest,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
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
} from '../test-support.ts';

const evil = 'a\u001b]0;pwned\u0007\u009b31m\u202eb\nc\u007f';
const steering = /[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f\u202e]/;
const otherId = '1f6c1c0e-9a57-4b5e-8f0a-0d7d6a9a7f10';

let cli: Cli;
let server: FakeServer;
let role: number;
let owners: string[];
let description: string | undefined;
let isReplay: boolean;
let requests: CreateTransactionRequest[];
let statements: GenerateStatementRequest[];

const walletOf = (owner: string, currency: string) => ({
  ...{ id: walletId, userId: owner, currency, exponent: 2 },
  ...{ balanceMinor: 1_234_567_89n, seq: 12n, status: 1 },
});

beforeEach(async () => {
  role = 1;
  owners = [userId, userId];
  description = evil;
  isReplay = false;
  requests = [];
  statements = [];
  server = await startFakeServer({
    createTransaction: (request: CreateTransactionRequest) => {
      requests.push(request);
      return created(request, isReplay);
    },
    getUser: () => ({ user: { id: userId, email: 'ana@example.com', role } }),
    createUser: () => refusal('EMAIL_TAKEN', 'the address is taken'),
    getBalance: () => ({ wallet: walletOf(userId, 'BRL'), asOf: new Date() }),
    listWallets: () => ({
      wallets: owners.map((owner, index) => walletOf(owner, ['BRL', 'EUR'][index] ?? 'USD')),
      nextPageToken: '',
      asOf: new Date(),
    }),
    listTransactions: ({ pageSize }: ListTransactionsRequest) => {
      const { transaction } = created({ item: undefined, dryRun: false });
      const row = { ...transaction, operation: Operation.CANCELLATION, merchant: 'Book shop' };
      const transactions = Array.from({ length: Math.min(pageSize, 3) }, () => row);
      return {
        transactions: transactions.map((t) => ({ ...t, description })),
        nextPageToken: 'more',
      };
    },
    generateStatement: (request: GenerateStatementRequest) => {
      statements.push(request);
      if (request.from && request.from < new Date('2026-01-01T00:00:00Z')) {
        return refusal('RANGE_TOO_LONG', 'a statement covers at most 15 days: ask for less');
      }
      const line = {
        ...{ seq: 1n, occurredAt: new Date(), transactionId: otherId, parentId: undefined },
        ...{ operation: Operation.PURCHASE, description, debitMinor: 5n, creditMinor: 0n },
        ...{ balanceAfterMinor: 95n, contraAccount: 'merchant:Book shop', hash: Buffer.alloc(32) },
      };
      const statement = Statement.fromPartial({
        ...{ walletId, userId, currency: 'BRL', exponent: 2, timezone: 'UTC' },
        ...{ from: new Date(), to: new Date(), openingMinor: 100n, totalDebitMinor: 5n },
        ...{ totalCreditMinor: 0n, closingMinor: 95n },
      });
      return {
        status: StatementStatus.COMPLETE,
        statement: { ...statement, lines: [line] },
        nextPageToken: '',
      };
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const terminal = { isTerminal: true, columns: 80 };
const list = ['transactions', 'list', '--limit', '3', '--no-color'];

describe('control characters', () => {
  test.each(['csv', 'ndjson', 'json', 'table'])('%s has no terminal controls', async (format) => {
    for (const argv of [list, ['statement', 'show', '--no-color']]) {
      const ran = await cli.run([...argv, '-o', format], terminal);
      expect(ran.exitCode).toBe(0);
      expect(ran.out.replaceAll('\r\n', '\n')).not.toMatch(steering);
    }
  });

  test('CSV in a pipe keeps control characters, and NDJSON escapes them', async () => {
    expect((await cli.run([...list, '-o', 'csv'])).out).toContain(evil);
    const ran = await cli.run([...list, '-o', 'ndjson']);
    expect(ran.out).not.toMatch(steering);
    expect(ran.out).toContain('\\u009b');
    expect(JSON.parse(ran.out.split('\n')[0] ?? '')).toMatchObject({ description: evil });
  });
});

describe('tables', () => {
  test.each([80, 60])('tables fit a terminal of %i columns', async (columns) => {
    owners = [userId, userId, userId];
    for (const argv of [list, ['statement', 'show'], ['balance', '--all']]) {
      const ran = await cli.run([...argv, '--no-color'], { isTerminal: true, columns });
      expect(ran.exitCode).toBe(0);
      for (const line of ran.out.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
    }
  });

  test('tables, CSV and NDJSON show the merchant if there is no description', async () => {
    description = undefined;
    expect((await cli.run(list, { ...terminal, columns: 132 })).out).toContain('Book shop');
    expect((await cli.run(['statement', 'show'])).out).toContain('Book shop');
    const csv = await cli.run(['statement', 'show', '-o', 'csv']);
    expect(csv.out).toContain(',purchase,Book shop,0.05,');
    const ndjson = await cli.run(['statement', 'show', '-o', 'ndjson']);
    expect(JSON.parse(ndjson.out)).toMatchObject({ merchant: 'Book shop' });
    description = 'a gift';
    expect((await cli.run(['statement', 'show', '-o', 'csv'])).out).toContain(',a gift,');
  });
});

describe('balance', () => {
  test('balance --all requires --user from staff', async () => {
    role = 2;
    const ran = await cli.run(['balance', '--all', '--json']);
    expect(ran).toMatchObject({ exitCode: 2, out: '' });
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'USER_REQUIRED' } });
    expect((await cli.run(['balance', '--all', '--user', userId])).exitCode).toBe(0);
  });

  test('balance --all refuses an answer with wallets of several users', async () => {
    owners = [userId, otherId];
    expect((await cli.run(['balance', '--all', '--json'])).exitCode).toBe(2);
  });

  test('balance --at refuses a date in the future, and accepts today', async () => {
    expect((await cli.run(['balance', '--at', '2999-01-01'])).exitCode).toBe(2);
    const today = new Date().toISOString().slice(0, 10);
    expect((await cli.run(['balance', '--at', today, '--timezone', 'UTC'])).exitCode).toBe(0);
  });
});

describe('movements', () => {
  const argv = ['deposit', '1', '--yes', '--idempotency-key', 'k'];

  test('a replayed deposit is printed as replayed', async () => {
    expect((await cli.run(argv)).out).not.toContain('replayed');
    isReplay = true;
    expect((await cli.run(argv)).out).toMatch(/^replayed +yes$/m);
  });

  test('a dry-run deposit has no id and no seq, unless it is a replay', async () => {
    const tried = await cli.run([...argv, '--dry-run', '--json']);
    const json = JSON.parse(tried.out) as object;
    expect(json).toMatchObject({ dryRun: true, replayed: false });
    expect(json).not.toHaveProperty('id');
    expect(json).not.toHaveProperty('seq');
    isReplay = true;
    const replay = await cli.run([...argv, '--dry-run']);
    expect(replay.out).toMatch(/^replayed +yes$/m);
    expect(replay.out).toMatch(/^id +b4013d1d/m);
  });

  test('an empty description is omitted, and a lower-case currency gets a suggestion', async () => {
    await cli.run([...argv, '--description', '']);
    expect(requests[0]?.item?.description).toBeUndefined();
    const ran = await cli.run([...argv, '--currency', 'brl']);
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain('did you mean BRL?');
  });
});

describe('hints', () => {
  test('a hint repeats the --server and --profile that were given', async () => {
    await cli.run(['config', 'set', 'currency', 'BRL', '--profile', 'p']);
    const options = ['--server', server.address, '--profile', 'p'];
    const ran = await cli.run(['balance', ...options], { env: { WALLET_TOKEN: '' } });
    expect(ran.exitCode).toBe(4);
    expect(ran.err).toContain(`wallet sign-in --server ${server.address} --profile p\n`);
  });

  test('a command with an unknown profile ends with exit code 5', async () => {
    const ran = await cli.run(['balance', '--json'], { env: { WALLET_PROFILE: 'typo' } });
    expect(ran.exitCode).toBe(5);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'PROFILE_NOT_FOUND' } });
    const listed = await cli.run(['profiles', 'list', '--profile', 'zzz']);
    expect(listed.out).not.toContain('zzz');
  });

  test('users create with a taken address gives no sign-in hint', async () => {
    const argv = ['users', 'create', '--email', 'a@example.com', '--password-stdin'];
    const ran = await cli.run(argv, { stdin: 'long enough\n' });
    expect(ran.exitCode).toBe(6);
    expect(ran.err).not.toContain('sign-in');
  });

  test('a list with more pages names --page-token, in a pipe too', async () => {
    for (const format of ['csv', 'ndjson']) {
      expect((await cli.run([...list, '-o', format])).err).toContain('--page-token more');
      expect((await cli.run([...list, '-o', format, '--quiet'])).err).toBe('');
    }
  });

  test('--verbose prints request ids, with --json as notes', async () => {
    const ran = await cli.run(['balance', '--verbose', '--json']);
    expect(JSON.parse(ran.err)).toMatchObject({ note: {} });
    expect(ran.err).toMatch(/request id [0-9a-f-]{36}/);
  });
});

describe('times', () => {
  test('a statement range that is too long is answered with a shorter one', async () => {
    const argv = ['statement', 'show', '--from', '2025-03-01', '--timezone', 'UTC'];
    const ran = await cli.run(argv);
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain('--from 2025-03-01 --to 2025-03-15');
  });

  test('a statement cannot begin in the future', async () => {
    const ran = await cli.run(['statement', 'show', '--from', '2999-01-01']);
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain('future');
    expect(statements).toEqual([]);
  });
});

describe('settings', () => {
  test.each([
    ['tls', 'yes', 'true'],
    ['timeout', '5', '5s'],
    ['insecure-storage', 'OFF', 'false'],
  ])('config set %s %s is stored as %s', async (key, value, written) => {
    await cli.run(['config', 'set', key, value]);
    expect((await cli.run(['config', 'get', key])).out).toBe(`${written}\n`);
  });
});

test('a TLS connection to a server without TLS is explained', async () => {
  const ran = await cli.run(['balance', '--tls', '--json']);
  expect(ran.exitCode).toBe(7);
  expect(ran.err).toContain('the server does not speak TLS');
  expect(ran.err).not.toMatch(/SSL|EPROTO/);
});
