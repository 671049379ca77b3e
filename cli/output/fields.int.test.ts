import { afterEach, beforeEach, expect, test } from 'vitest';

import {
  GenerateStatementResponse,
  StatementStatus,
  type GenerateStatementRequest,
} from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type {
  CreateTransactionRequest,
  ListTransactionsRequest,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { created, createCli, fakeToken, startFakeServer } from '../test-support.ts';
import type { Cli, FakeServer } from '../test-support.ts';

let cli: Cli;
let server: FakeServer;
let sent: string[];
let closingMinor: bigint;

beforeEach(async () => {
  sent = [];
  closingMinor = 100n;
  server = await startFakeServer({
    listTransactions: ({ pageSize, pageToken }: ListTransactionsRequest) => {
      sent.push('listTransactions');
      const { transaction } = created({ item: undefined, dryRun: false });
      const transactions = Array.from({ length: Math.min(pageSize, 2) }, () => transaction);
      return { transactions, nextPageToken: pageToken === 'last' ? '' : 'last' };
    },
    generateStatement: ({ pageToken }: GenerateStatementRequest) => {
      sent.push('generateStatement');
      const isFirst = pageToken === '';
      const line = isFirst
        ? { seq: 1n, creditMinor: 150n, balanceAfterMinor: 150n, description: 'a\nb' }
        : { seq: 2n, debitMinor: 50n, balanceAfterMinor: 100n };
      return GenerateStatementResponse.fromPartial({
        status: StatementStatus.COMPLETE,
        nextPageToken: isFirst ? 'last' : '',
        statement: {
          ...{ currency: 'BRL', exponent: 2, totalDebitMinor: 50n, totalCreditMinor: 150n },
          ...{ closingMinor, timezone: 'UTC', lines: [line] },
        },
      });
    },
    createTransaction: (request: CreateTransactionRequest) => {
      sent.push('createTransaction');
      return created(request);
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line: string, env: Record<string, string> = {}) => cli.run(line.split(' '), { env });
const id = created({ item: undefined, dryRun: false }).transaction?.id ?? '';

test('--field prints a line for each item of all pages, and names the next page', async () => {
  const rows = `${id}\t1.00\n`;
  const all = await run('transactions list --all --field id --field amount');
  expect(all).toMatchObject({ exitCode: 0, out: rows.repeat(4), err: '' });
  expect(sent).toEqual(['listTransactions', 'listTransactions']);
  const part = await run('transactions list --limit 2 --field items.id,items.amount');
  expect(part).toMatchObject({ exitCode: 0, out: rows.repeat(2) });
  expect(part.err).toBe('note: more items: --all, or --page-token last\n');
  expect((await run('transactions list --limit 2 --field nextPageToken')).out).toBe('last\n');
});

test('--field prints fields of a statement and of the lines of all its pages', async () => {
  const show = 'statement show --from 2026-11-01 --to 2026-11-15 --field';
  expect((await run(`${show} statement.closing,status`)).out).toBe('1.00\tcomplete\n');
  expect((await run(`${show} statement.lines.seq,statement.lines.description`)).out).toBe(
    '1\ta\\nb\n2\t\n',
  );
});

test('--field prints nothing of a statement that does not add up, and the error as text', async () => {
  closingMinor = 99n;
  const ran = await run('statement show --field statement.closing', { WALLET_OUTPUT: 'json' });
  expect(ran).toMatchObject({ exitCode: 1, out: '' });
  expect(ran.err).toMatch(/^error: the statement does not add up/);
});

test('--field prints the id of a money movement, whatever WALLET_OUTPUT says', async () => {
  const ran = await run('deposit 1.00 --yes --field id', { WALLET_OUTPUT: 'csv' });
  expect(ran).toMatchObject({ exitCode: 0, out: `${id}\n`, err: '' });
});

test.each([
  ['deposit 1.00 --yes --field transactionId', '"transactionId" is not a field of wallet deposit'],
  ['deposit 1.00 --yes --field id --json', '--field and --json exclude each other'],
  ['deposit 1.00 --yes --field=id -o table', '--field and --output exclude each other'],
  ['transactions list --field id,nextPageToken', 'must be of the same list'],
  ['profiles use x --field name', 'wallet profiles use has no fields'],
])('%s is refused before anything is sent', async (line, message) => {
  const ran = await run(line, { WALLET_OUTPUT: 'json' });
  expect(ran).toMatchObject({ exitCode: 2, out: '' });
  expect(ran.err).toMatch(/^error: /);
  expect(ran.err).toContain(message);
  expect(sent).toEqual([]);
});
