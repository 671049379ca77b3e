import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  Direction,
  Operation,
  type ListTransactionsRequest,
  type Transaction,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  created,
  fakeToken,
  refusal,
  startFakeServer,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const pageCount = 3;
/** Of this page there is an error in place of an answer. */
let brokenPage: number | undefined;
let requests: ListTransactionsRequest[];
let server: FakeServer;
let cli: Cli;

const groupId = '3d4013d1-f8a6-44ce-835e-4d4f030245d6';
const idOf = (n: number) => `${n.toString(16).padStart(8, '0')}-f8a6-54ce-835e-4d4f030245d6`;

function transactionOf(n: number): Transaction {
  const { transaction } = created({ item: undefined, dryRun: false });
  if (!transaction) throw new Error('no transaction');
  return {
    ...transaction,
    id: idOf(n),
    seq: BigInt(n),
    operation: Operation.WITHDRAW,
    direction: Direction.DEBIT,
    amountMinor: 123_456n,
    balanceAfterMinor: 1_234_567_89n,
    description: `the payment number ${n}`,
    groupId,
  };
}

beforeEach(async () => {
  brokenPage = undefined;
  requests = [];
  server = await startFakeServer({
    listTransactions: (request: ListTransactionsRequest) => {
      requests.push(request);
      if (requests.length === brokenPage) return refusal('INTERNAL', 'broken');
      const first = (requests.length - 1) * request.pageSize;
      const transactions = Array.from({ length: request.pageSize }, (_, i) =>
        transactionOf(first + i),
      );
      return { transactions, nextPageToken: requests.length < pageCount ? 'more' : '' };
    },
  });
  cli = await createCli({
    WALLET_SERVER: server.address,
    WALLET_TOKEN: fakeToken(),
    WALLET_TIMEZONE: 'UTC',
  });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const list = (...argv: string[]) => cli.run(['transactions', 'list', ...argv]);
const inTerminal = (columns: number, ...argv: string[]) =>
  cli.run(['transactions', 'list', '--limit', '2', '--no-color', ...argv], {
    ...{ isTerminal: true, columns },
  });

describe('lists of many pages', () => {
  test('a table of all pages has its titles once and the same columns on every page', async () => {
    const ran = await list('--all');
    const lines = ran.out.trimEnd().split('\n');
    expect(lines).toHaveLength(1 + 500 * pageCount);
    expect(lines.filter((line) => line.includes('SEQ'))).toEqual([lines[0]]);
    const places = new Set(lines.slice(1).map((line) => line.indexOf('the payment')));
    expect(places.size).toBe(1);
  });

  test.each(['table', 'json', 'ndjson', 'csv'])(
    'a reader that ends early ends a list as %s with exit code 0 after one page',
    async (output) => {
      const stdoutFault = { kind: 'closed', message: 'broken pipe' } as const;
      const ran = await cli.run(['transactions', 'list', '--all', '-o', output], { stdoutFault });
      expect(ran).toMatchObject({ exitCode: 0, err: '' });
      expect(requests).toHaveLength(1);
    },
  );

  test('a list of many pages in JSON is one document, formatted as one text', async () => {
    const ran = await list('--all', '--json');
    const document = JSON.parse(ran.out) as { items: { id: string }[] };
    expect(document.items.map(({ id }) => id)).toEqual(
      Array.from({ length: 500 * pageCount }, (_, n) => idOf(n)),
    );
    expect(ran.out).toBe(`${JSON.stringify(document, null, 2)}\n`);
  });

  test('a list in JSON that fails midway is no complete document', async () => {
    brokenPage = 2;
    const ran = await list('--all', '--json');
    expect(ran.exitCode).toBe(1);
    expect(ran.out).toContain(idOf(499));
    expect(() => JSON.parse(ran.out) as unknown).toThrow(SyntaxError);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'INTERNAL' } });
  });

  test('a list in JSON that fails at once leaves stdout empty', async () => {
    brokenPage = 1;
    expect(await list('--json')).toMatchObject({ exitCode: 1, out: '' });
  });
});

describe('narrow terminals', () => {
  test.each([
    [132, ['SEQ', 'DATE', 'OPERATION', 'AMOUNT', 'BALANCE', 'ID', 'DESCRIPTION']],
    [80, ['DATE', 'OPERATION', 'AMOUNT', 'ID']],
    [40, ['ID']],
  ])('at %i columns a table has whole ids and these columns: %j', async (width, titles) => {
    const ran = await inTerminal(width);
    const lines = ran.out.trimEnd().split('\n');
    expect(lines[0]?.split(/ +/).filter((title) => title !== '')).toEqual(titles);
    expect(lines[1]).toContain(idOf(0));
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
    const note = /too narrow for (.*): add --wide/.exec(ran.err)?.[1];
    const dropped = ['SEQ', 'DATE', 'OPERATION', 'AMOUNT', 'BALANCE', 'DESCRIPTION'].filter(
      (title) => !titles.includes(title),
    );
    expect(note).toBe(dropped.length === 0 ? undefined : dropped.join(', '));
  });

  test('--wide cuts nothing and leaves nothing out at 40 columns', async () => {
    const ran = await inTerminal(40, '--wide');
    expect(ran.out).toContain('BALANCE');
    expect(ran.out).toContain('the payment number 0');
    expect(ran.err).not.toContain('too narrow');
  });

  test('a table has separators between thousands, and data has none', async () => {
    expect((await inTerminal(132)).out).toMatch(/ -1,234\.56 +1,234,567\.89 BRL /);
    for (const output of ['json', 'ndjson', 'csv']) {
      const ran = await list('--limit', '1', '-o', output);
      expect(ran.out).toContain('1234.56');
      expect(ran.out).toContain('1234567.89');
    }
  });
});

describe('--columns', () => {
  test('--columns chooses and orders the columns of a table, by name or title', async () => {
    const ran = await inTerminal(40, '--columns', 'amount, date,wallet_id');
    const [titles, row] = ran.out.split('\n');
    expect(titles).toMatch(/^ *AMOUNT {2}DATE +WALLET$/);
    expect(row).toBe('-1,234.56  2026-11-22  adbcf8b0-01c7-561f-af3e-e0db58fa9b1b');
    expect(ran.err).not.toContain('too narrow');
  });

  test('--columns chooses and orders the columns of CSV', async () => {
    const ran = await list('--limit', '1', '-o', 'csv', '--columns', 'id,amount');
    expect(ran.out).toBe(`id,amount\r\n${idOf(0)},1234.56\r\n`);
    const grouped = await list('--limit', '1', '-o', 'csv', '--columns', 'group_id');
    expect(grouped.out).toBe(`group_id\r\n${groupId}\r\n`);
  });

  test.each([
    ['amuont', 'did you mean amount?'],
    ['balance_aftr', 'did you mean balance_after?'],
    ['id,', 'is not a column'],
    ['id,id', 'comes twice'],
  ])('--columns %s is refused before anything is sent', async (names, text) => {
    const ran = await list('--columns', names);
    expect(ran).toMatchObject({ exitCode: 2, out: '' });
    expect(ran.err).toContain(text);
    expect(requests).toEqual([]);
  });

  test('an unknown column is answered with the columns that there are', async () => {
    const ran = await list('--columns', 'colour');
    expect(ran.err).toContain(
      'seq, occurred_at, operation, amount, direction, currency, balance_after',
    );
  });

  test.each(['json', 'ndjson'])('--columns does not go with %s', async (output) => {
    const ran = await list('--columns', 'id', '-o', output);
    expect(ran).toMatchObject({ exitCode: 2, out: '' });
  });
});
