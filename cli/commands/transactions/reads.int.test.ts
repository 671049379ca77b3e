import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  Statement,
  StatementStatus,
  type GenerateStatementRequest,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  Operation,
  type ListTransactionsRequest,
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

let cli: Cli;
let server: FakeServer;
let statementRequests: GenerateStatementRequest[];
let listRequests: ListTransactionsRequest[];
let missing: bigint;
let status: StatementStatus;
let closingMinor: bigint;

const head = () =>
  Statement.fromPartial({
    walletId,
    userId,
    currency: 'BRL',
    exponent: 2,
    from: new Date('2026-11-01T03:00:00Z'),
    to: new Date('2026-11-16T03:00:00Z'),
    timezone: 'America/Sao_Paulo',
    openingMinor: 0n,
    totalDebitMinor: 50n,
    totalCreditMinor: 150n,
    closingMinor,
  });
const line = (seq: bigint, debitMinor: bigint, creditMinor: bigint, balanceAfterMinor: bigint) => ({
  seq,
  occurredAt: new Date('2026-11-02T12:00:00Z'),
  transactionId: 'b4013d1d-f8a6-54ce-835e-4d4f030245d6',
  operation: creditMinor > 0n ? Operation.DEPOSIT : Operation.WITHDRAW,
  description: seq === 1n ? '=1+1' : undefined,
  debitMinor,
  creditMinor,
  balanceAfterMinor,
  contraAccount: 'external:cash',
  parentId: undefined,
  hash: Buffer.alloc(32),
});

beforeEach(async () => {
  statementRequests = [];
  listRequests = [];
  status = StatementStatus.COMPLETE;
  missing = 3n;
  closingMinor = 100n;
  server = await startFakeServer({
    generateStatement: (request: GenerateStatementRequest) => {
      statementRequests.push(request);
      if (request.currency === 'USD') return refusal('RANGE_TOO_LONG', 'too long');
      const isFirst = request.pageToken === '';
      const lines = isFirst ? [line(1n, 0n, 150n, 150n)] : [line(2n, 50n, 0n, 100n)];
      const behindBy = status === StatementStatus.INCOMPLETE ? missing : undefined;
      const statement = { ...head(), lines, behindBy };
      return { status, statement, nextPageToken: isFirst ? 'next' : '' };
    },
    listTransactions: (request: ListTransactionsRequest) => {
      listRequests.push(request);
      const { transaction } = created({ item: undefined, dryRun: false });
      const transactions = Array.from({ length: request.pageSize }, () => transaction);
      return { transactions, nextPageToken: listRequests.length < 3 ? 'more' : '' };
    },
    getBalance: () => ({
      wallet: {
        id: walletId,
        userId,
        currency: 'JPY',
        exponent: 0,
        balanceMinor: 5n,
        seq: 1n,
        status: 1,
      },
      asOf: new Date('2026-11-22T12:00:00Z'),
    }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

describe('statement show', () => {
  test('statement show --json has the lines of all pages, in the documented shape', async () => {
    const ran = await cli.run([
      ...['statement', 'show', '--from', '2026-11-01', '--to', '2026-11-15'],
      ...['--timezone', 'America/Sao_Paulo', '--json'],
    ]);
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(JSON.parse(ran.out)).toEqual({
      status: 'complete',
      statement: {
        walletId,
        currency: 'BRL',
        from: '2026-11-01T00:00:00.000-03:00',
        to: '2026-11-16T00:00:00.000-03:00',
        timezone: 'America/Sao_Paulo',
        opening: '0.00',
        totalDebit: '0.50',
        totalCredit: '1.50',
        closing: '1.00',
        lines: [
          {
            seq: 1,
            date: '2026-11-02T09:00:00.000-03:00',
            transactionId: 'b4013d1d-f8a6-54ce-835e-4d4f030245d6',
            operation: 'deposit',
            description: '=1+1',
            credit: '1.50',
            balance: '1.50',
          },
          {
            seq: 2,
            date: '2026-11-02T09:00:00.000-03:00',
            transactionId: 'b4013d1d-f8a6-54ce-835e-4d4f030245d6',
            operation: 'withdraw',
            debit: '0.50',
            balance: '1.00',
          },
        ],
      },
    });
    expect(statementRequests[0]).toMatchObject({
      from: new Date('2026-11-01T03:00:00Z'),
      to: new Date('2026-11-16T03:00:00Z'),
      timezone: 'America/Sao_Paulo',
    });
  });

  test('statement show as CSV has the documented columns, and no formula', async () => {
    const ran = await cli.run(['statement', 'show', '-o', 'csv']);
    expect(ran.out).toBe(
      'date,transaction_id,operation,description,debit,credit,balance,currency\r\n' +
        "2026-11-02T09:00:00.000-03:00,b4013d1d-f8a6-54ce-835e-4d4f030245d6,deposit,'=1+1,,1.50,1.50,BRL\r\n" +
        '2026-11-02T09:00:00.000-03:00,b4013d1d-f8a6-54ce-835e-4d4f030245d6,withdraw,,0.50,,1.00,BRL\r\n',
    );
  });

  test('statement show prints the time zone, opening, totals and closing', async () => {
    const ran = await cli.run(['statement', 'show']);
    for (const text of ['America/Sao_Paulo', 'opening', '1.50 BRL', 'closing', '1.00 BRL']) {
      expect(ran.out).toContain(text);
    }
  });

  test('a statement that does not add up is not shown, and ends with exit code 1', async () => {
    closingMinor = 99n;
    const ran = await cli.run(['statement', 'show', '--json']);
    expect(ran).toMatchObject({ exitCode: 1, out: '' });
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'STATEMENT_MISMATCH' } });
  });

  test('an incomplete statement is shown with its lag, and ends with exit code 10', async () => {
    status = StatementStatus.INCOMPLETE;
    const ran = await cli.run(['statement', 'show', '--json']);
    expect(ran.exitCode).toBe(10);
    expect(JSON.parse(ran.out)).toMatchObject({ status: 'incomplete', statement: { behindBy: 3 } });
    expect(ran.err).toContain('3 transactions');
  });

  test('a statement of a period that has not ended is shown, with exit code 10', async () => {
    status = StatementStatus.INCOMPLETE;
    missing = 0n;
    const ran = await cli.run(['statement', 'show', '--json']);
    expect(ran.exitCode).toBe(10);
    expect(JSON.parse(ran.out)).toMatchObject({ status: 'incomplete' });
    expect(ran.err).toContain('the period has not ended');
    expect(ran.err).toContain('omit --to');
  });

  test('a statement range that is too long ends with exit code 2 and a hint', async () => {
    const ran = await cli.run(['statement', 'show', '--currency', 'USD', '--json']);
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain('--from');
  });
});

describe('lists', () => {
  test('transactions list --limit fetches as many pages as needed', async () => {
    const ran = await cli.run(['transactions', 'list', '--limit', '700', '--json']);
    expect(listRequests.map(({ pageSize }) => pageSize)).toEqual([500, 200]);
    const list = JSON.parse(ran.out) as { items: unknown[]; nextPageToken?: string };
    expect(list.items).toHaveLength(700);
    expect(list.nextPageToken).toBe('more');
  });

  test('transactions list --all fetches all pages', async () => {
    const ran = await cli.run(['transactions', 'list', '--all', '-o', 'ndjson']);
    expect(ran.out.trimEnd().split('\n')).toHaveLength(1500);
  });
});

describe('balance', () => {
  test('balance --json has the documented shape', async () => {
    const ran = await cli.run(['balance', '--json']);
    expect(JSON.parse(ran.out)).toEqual({
      walletId,
      userId,
      currency: 'JPY',
      balance: '5',
      seq: 1,
      status: 'active',
      asOf: '2026-11-22T12:00:00.000Z',
    });
  });
});

describe('usage', () => {
  test.each([
    [['balanse'], 'Did you mean balance?'],
    [['balance', '--curency', 'BRL'], 'Did you mean --currency?'],
    [['deposit'], 'AMOUNT'],
    [['balance', 'extra'], 'too many arguments'],
    [['balance', '--json', '-o', 'csv'], 'exclude each other'],
    [['balance', '--server', 'nowhere'], 'HOST:PORT'],
    [['balance', '--server', '10.0.0.1:1'], '--tls'],
    [['config', 'get', 'nothing'], 'unknown setting'],
  ])('the command line %j ends with exit code 2 and the cause', async (argv, text) => {
    const ran = await cli.run(argv);
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain(text);
    expect(ran.out).toBe('');
  });

  test('a usage error with --json is printed as JSON', async () => {
    const ran = await cli.run(['balanse', '--json']);
    expect(JSON.parse(ran.err)).toMatchObject({
      error: { reason: 'USAGE', hint: 'wallet --help' },
    });
  });

  test.each([[[]], [['--help']], [['help', 'deposit']], [['statement', 'show', '--help']]])(
    '%j prints help to stdout and ends with exit code 0',
    async (argv) => {
      const ran = await cli.run(argv);
      expect(ran).toMatchObject({ exitCode: 0, err: '' });
      expect(ran.out).toContain('Usage: wallet');
    },
  );
});

describe('settings', () => {
  test('a setting is set, layered, shown with its origin, and removed', async () => {
    await cli.run(['config', 'set', 'currency', 'EUR']);
    await cli.run(['config', 'set', 'currency', 'USD', '--profile', 'p']);
    const origins = async (env: Record<string, string>) => {
      const ran = await cli.run(['config', 'get', 'currency', '--show-origin', '--json'], { env });
      return JSON.parse(ran.out) as object;
    };
    expect(await origins({})).toEqual({ key: 'currency', value: 'EUR', origin: 'profile' });
    expect(await origins({ WALLET_PROFILE: 'p' })).toMatchObject({ value: 'USD' });
    expect(await origins({ WALLET_CURRENCY: 'JPY' })).toMatchObject({ origin: 'environment' });
    await cli.run(['profiles', 'use', 'p']);
    expect(await origins({})).toMatchObject({ value: 'USD' });
    await cli.run(['config', 'set', 'currency', '--unset']);
    expect(await origins({})).toEqual({ key: 'currency', value: 'BRL', origin: 'default' });
  });

  test('profiles use of an unknown profile ends with exit code 5', async () => {
    expect((await cli.run(['profiles', 'use', 'unknown'])).exitCode).toBe(5);
  });
});
