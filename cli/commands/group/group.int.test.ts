import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Reason } from '../../../core/reasons.ts';
import type { ResolveUsersRequest } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Operation,
  type BatchCreateTransactionsRequest,
  type TransactionItem,
  type TransactionResult,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  created,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const ana = '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10';
const bia = '1b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a11';
const users: Readonly<Record<string, string>> = { 'ana@example.com': ana, 'bia@example.com': bia };
const fundsMinor = 100_000n;

let cli: Cli;
let server: FakeServer;
let requests: BatchCreateTransactionsRequest[];
let done: Map<string, TransactionItem>;
/** Said once each, before anything else. */
let failures: (() => unknown)[];

const refused = (reason: Reason, metadata: Record<string, string> = {}): TransactionResult => ({
  outcome: { $case: 'refusal', value: { reason, message: `refused: ${reason}`, metadata } },
});

/** A ledger of groups, in memory: all or none, each key once. */
function decide({ items, dryRun }: BatchCreateTransactionsRequest): TransactionResult[] {
  const known = items.map(({ idempotencyKey }) => done.get(idempotencyKey));
  const isReplay = known.every((item) => item !== undefined);
  const reasons = items.map((item, i): Reason | undefined => {
    if (isReplay) return known[i]?.amountMinor === item.amountMinor ? undefined : keyReused;
    if (known[i]) return keyReused;
    return (item.amountMinor ?? 0n) > fundsMinor ? 'INSUFFICIENT_FUNDS' : undefined;
  });
  const failed = reasons.findIndex((reason) => reason !== undefined);
  const reason = reasons[failed];
  if (reason !== undefined) {
    const aborted = refused('GROUP_ABORTED', { item: String(failed), reason });
    return items.map((_item, i) => (i === failed ? refused(reason) : aborted));
  }
  if (!dryRun) for (const item of items) done.set(item.idempotencyKey, item);
  return items.map((item) => ({
    outcome: { $case: 'created', value: created({ item, dryRun }, isReplay) },
  }));
}
const keyReused = 'IDEMPOTENCY_KEY_REUSED';

beforeEach(async () => {
  requests = [];
  failures = [];
  done = new Map();
  server = await startFakeServer({
    batchCreateTransactions: (request: BatchCreateTransactionsRequest) => {
      requests.push(request);
      return failures.shift()?.() ?? { results: decide(request) };
    },
    getUser: () => ({ user: { id: userId, email: 'op@example.com', role: 2 } }),
    resolveUsers: ({ emails }: ResolveUsersRequest) => ({
      users: emails.flatMap((email) =>
        users[email] ? [{ id: users[email], email, role: 1 }] : [],
      ),
    }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});
afterEach(async () => {
  server.crash();
  await cli.remove();
});

const head = 'operation,amount,user,to,description';
const payment = 'transfer,990.00,ana@example.com,bia@example.com,order 1042';
const fee = 'fee,10.00,ana@example.com,,';

async function run(
  rows: readonly string[],
  args: readonly string[],
  options: Parameters<Cli['run']>[1] = {},
) {
  const file = join(cli.stateDir, '..', 'group.csv');
  await writeFile(file, [head, ...rows, ''].join('\n'));
  return cli.run(['group', 'run', file, ...args], options);
}
const sent = () => requests.map(({ items }) => items);

describe('wallet group run', () => {
  test('the rows of a file are sent as one group, with the ids of their users', async () => {
    const ran = await run([payment, fee], ['--group-id', 'order-1042', '--yes', '--json']);
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    const [items = []] = sent();
    expect(items).toMatchObject([
      { operation: Operation.TRANSFER, amountMinor: 99_000n, userId: ana, toUserId: bia },
      { operation: Operation.FEE, amountMinor: 1_000n, userId: ana },
    ]);
    expect(new Set(items.map(({ groupId }) => groupId)).size).toBe(1);
    expect(new Set(items.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
    expect(JSON.parse(ran.out)).toMatchObject({
      ...{ groupId: items[0]?.groupId, status: 'done' },
      items: [
        {
          row: 1,
          status: 'done',
          operation: 'transfer',
          amount: '990.00',
          user: 'ana@example.com',
        },
        { row: 2, status: 'done', operation: 'fee', amount: '10.00', balance: '123.45' },
      ],
    });
  });

  test('the same command again is a replay, and says so', async () => {
    const args = ['--group-id', 'order-1042', '--yes', '-o', 'csv'];
    await run([payment, fee], args);
    const again = await run([payment, fee], args);
    expect(again.exitCode).toBe(0);
    expect(again.out.match(/replayed/g)).toHaveLength(2);
    expect(again.err).toContain('use another --group-id');
    const [first, second] = sent();
    expect(second).toEqual(first);
    expect(done.size).toBe(2);
  });

  test('without --group-id the rows name the group, and other rows are another group', async () => {
    await run([payment, fee], ['--yes']);
    await run([payment, fee], ['--yes']);
    await run([payment, fee.replace('10.00', '9.00')], ['--yes']);
    await run([payment, fee], ['--yes', '--group-id', 'order-1043']);
    const ids = sent().map(([item]) => item?.groupId);
    expect(ids[1]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(3);
    expect(done.size).toBe(6);
  });

  test('a changed file under a name that is used is refused, whatever has changed', async () => {
    const args = ['--group-id', 'order-1042', '--yes'];
    await run([payment, fee], args);
    for (const rows of [
      [payment, fee.replace('10.00', '9.00')],
      [payment, fee, fee],
      [payment.replace('990', '1'), fee.replace('10.00', '9.00')],
    ]) {
      const ran = await run(rows, args);
      expect(ran.exitCode).toBe(6);
      expect(ran.err).toContain('refused: IDEMPOTENCY_KEY_REUSED');
      expect(ran.err).toContain('choose another --group-id, or see what has it: wallet tr');
    }
    expect(done.size).toBe(2);
  });

  test('a UUID as --group-id is the id itself, and rows keep keys of their own', async () => {
    const id = '6F1C3F3E-0000-4000-8000-000000000001';
    const file = join(cli.stateDir, '..', 'group.ndjson');
    const rows = [{ operation: 'deposit', amount: '1', user: ana, key: 'mine' }];
    await writeFile(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    expect(await cli.run(['group', 'run', file, '--group-id', id, '-y'])).toMatchObject({
      exitCode: 0,
    });
    expect(sent()[0]).toMatchObject([{ groupId: id.toLowerCase(), idempotencyKey: 'mine' }]);
  });

  test('a refused row fails the group with its reason, its row and its exit code', async () => {
    const rows = [payment, 'withdraw,2000.00,ana@example.com,,', fee];
    const ran = await run(rows, ['--group-id', 'x', '--yes', '--json']);
    expect(ran.exitCode).toBe(6);
    expect(JSON.parse(ran.err)).toMatchObject({
      error: { reason: 'INSUFFICIENT_FUNDS', message: expect.stringContaining('row 2') as string },
    });
    const { items, status } = JSON.parse(ran.out) as {
      items: { reason: string }[];
      status: string;
    };
    expect(status).toBe('rejected');
    expect(items.map(({ reason }) => reason)).toEqual([
      ...['GROUP_ABORTED', 'INSUFFICIENT_FUNDS', 'GROUP_ABORTED'],
    ]);
    expect(done.size).toBe(0);
  });

  test('a dry run asks for no confirmation, shows the rows, and changes nothing', async () => {
    const ran = await run([payment, fee], ['--dry-run', '--json']);
    expect(ran).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(ran.out)).toMatchObject({ status: 'done', dryRun: true });
    expect(requests).toMatchObject([{ dryRun: true }]);
    expect(done.size).toBe(0);
  });

  test('the confirmation names the server, the group and every row', async () => {
    const questions: string[] = [];
    const confirm = (question: string) => Promise.resolve(questions.push(question) > 1);
    const options = { isTerminal: true, prompter: { confirm } };
    const declined = await run([payment, fee], ['--group-id', 'order-1042'], options);
    expect(declined.exitCode).not.toBe(0);
    expect(requests).toEqual([]);
    for (const text of [server.address, 'op@example.com', 'order-1042', 'row 1', 'row 2']) {
      expect(declined.err).toContain(text);
    }
    expect(declined.err).toContain(
      'transfer 990.00 BRL of user ana@example.com to bia@example.com: order 1042',
    );
    expect(declined.err).toContain('fee 10.00 BRL of user ana@example.com');
    const agreed = await run([payment, fee], ['--group-id', 'order-1042'], options);
    expect(agreed.exitCode).toBe(0);
    expect(questions).toEqual(Array(2).fill('Run this group, all 2 rows or none?'));
  });

  test.each<[string, readonly string[], readonly string[], string]>([
    ['17 rows', Array<string>(17).fill(fee), ['--yes'], 'more than 16 rows'],
    ['no rows', [], ['--yes'], 'has no rows'],
    ['a wrong row', [payment, 'fee,1e3,ana@example.com,,'], ['--yes'], 'row 2: amount'],
    ['an unknown user', [fee.replace('ana', 'zoe')], ['--yes'], 'zoe@example.com'],
    ['no confirmation', [fee], [], 'confirmation required'],
    ['an empty name', [fee], ['--yes', '--group-id', ' '], 'group-id'],
  ])('%s: refused before anything is sent', async (_what, rows, args, message) => {
    const ran = await run(rows, args);
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain(message);
    expect(requests).toEqual([]);
  });
});

describe('unknown outcomes', () => {
  const args = ['--group-id', 'x', '--yes', '--json'];

  test('a lost answer is asked for again, and what was done is shown', async () => {
    failures = [
      () => {
        decide(requests[0]!);
        return refusal('OUTCOME_UNKNOWN', 'lost');
      },
    ];
    const ran = await run([payment, fee], args);
    expect(ran.exitCode).toBe(0);
    expect(JSON.parse(ran.out)).toMatchObject({ status: 'replayed' });
    expect(ran.err).toBe('');
    expect(done.size).toBe(2);
  });

  test('a locked wallet is tried again', async () => {
    const busy = () => ({ results: [refused('WALLET_BUSY'), refused('WALLET_BUSY')] });
    failures = [busy, busy];
    expect(await run([payment, fee], args)).toMatchObject({ exitCode: 0 });
    expect(requests).toHaveLength(3);
  });

  test('where the outcome stays unknown, the exit code is 9, and the same command resolves it', async () => {
    const unknown = () => ({
      results: [refused('OUTCOME_UNKNOWN'), refused('OUTCOME_UNKNOWN')],
    });
    failures = Array.from({ length: 4 }, () => unknown);
    const ran = await run([payment, fee], args);
    expect(ran.exitCode).toBe(9);
    expect(JSON.parse(ran.out)).toMatchObject({ status: 'unknown' });
    expect(ran.err).toContain('run the same command again');
    expect(await run([payment, fee], args)).toMatchObject({ exitCode: 0 });
  });

  test('a refusal after an unknown attempt that does not resolve it leaves it open', async () => {
    const unknown = () => ({ results: [refused('OUTCOME_UNKNOWN'), refused('OUTCOME_UNKNOWN')] });
    const denied = () => ({
      results: [refused('OPERATION_NOT_ALLOWED'), refused('GROUP_ABORTED')],
    });
    failures = [unknown, denied];
    expect(await run([payment, fee], args)).toMatchObject({ exitCode: 9 });
    failures = [denied];
    expect(await run([payment, fee], args)).toMatchObject({ exitCode: 8 });
  });
});
