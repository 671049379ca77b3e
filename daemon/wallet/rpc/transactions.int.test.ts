import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { callAs } from '../../../tests/support/grpc/calls.ts';
import { brlWalletOf, buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import type { Command } from '../domain.ts';
import { createKnownUsers } from '../requests/users.ts';
import { getTransaction, listTransactions } from './transactions.ts';

const [ana, bia, staff] = [randomUUID(), randomUUID(), randomUUID()];
let test: TestDatabase;
let commands: Command[];
let times: Date[];

const options = () => ({
  db: test.db,
  users: createKnownUsers((ids) => Promise.resolve(new Set(ids))),
  defaultCurrency: 'BRL',
});

beforeAll(async () => {
  test = await createTestDatabase('wallet');
  const bought = buildCommand(ana, { operation: 'purchase', amountMinor: 400n });
  const sent = buildCommand(ana, {
    ...{ operation: 'transfer', amountMinor: 250n, more: { other: brlWalletOf(bia) } },
  });
  const part = (parent: Command, amountMinor: bigint, more?: Command['more']) =>
    buildCommand(ana, {
      ...{ operation: 'reversal', callerClass: 'staff', parentId: parent.transactionId },
      ...{ amountMinor, more },
    });
  commands = [
    buildCommand(ana, { amountMinor: 1_000n }),
    bought,
    sent,
    part(bought, 100n),
    part(bought, 50n),
    part(sent, 20n, { other: brlWalletOf(bia) }),
  ];
  const commit = createOptimisticCommit(test.db);
  times = [];
  for (const command of commands) {
    // A millisecond of its own for each.
    await new Promise((resolve) => setTimeout(resolve, 3));
    const [answer] = await commit([command]);
    if (answer === undefined || typeof answer === 'string' || !answer.ok)
      throw new Error('not done');
    times.push(new Date(answer.value.entry.occurredAtMs));
  }
});
afterAll(() => test.drop());

const none = {
  ...{ userId: '', currency: '', pageSize: 50, pageToken: '', ascending: true },
  ...{ operation: Operation.UNSPECIFIED, idPrefix: '' },
};

async function list(filter: object, caller = callAs(ana, 'customer')) {
  const listed = await listTransactions(options(), { ...none, ...filter }, caller);
  if (!listed.ok) return listed.rejection.metadata;
  return listed.value.transactions.map(({ seq }) => Number(seq));
}

describe('filters of a list', () => {
  it('a period is half-open, in both directions, and may be open at each end', async () => {
    expect(await list({ from: times[1], to: times[3] })).toEqual([2, 3]);
    expect(await list({ from: times[1], to: times[3], ascending: false })).toEqual([3, 2]);
    expect(await list({ from: times[4] })).toEqual([5, 6]);
    expect(await list({ to: times[1] })).toEqual([1]);
    expect(await list({ from: times[2], to: times[2] })).toEqual([]);
    expect(await list({ to: times[0] })).toEqual([]);
    expect(await list({ to: new Date('9999-01-01T00:00:00Z') })).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('of a wallet without transactions there are none in any period', async () => {
    const stranger = callAs(randomUUID(), 'customer');
    expect(await list({ from: times[0], to: times[5] }, stranger)).toEqual([]);
  });

  it('a period that ends before it begins, or is no time, is refused', async () => {
    expect(await list({ from: times[2], to: times[1] })).toEqual({ field: 'from' });
    expect(await list({ to: new Date(NaN) })).toEqual({ field: 'to' });
    expect(await list({ from: new Date(8.64e15) })).toEqual({ field: 'from' });
  });

  it('what was undone is found, in part too, and what was not', async () => {
    expect(await list({ undone: true })).toEqual([2, 3]);
    expect(await list({ undone: false })).toEqual([1, 4, 5, 6]);
    expect(await list({ undone: true, operation: Operation.TRANSFER })).toEqual([3]);
    expect(await list({ undone: true }, callAs(bia, 'customer'))).toEqual([1]);
  });

  it('pages of a filtered list have each transaction once', async () => {
    const pages: number[] = [];
    let pageToken = '';
    do {
      const filter = { from: times[0], to: times[5], ascending: false, pageSize: 2, pageToken };
      const listed = await listTransactions(
        options(),
        { ...none, ...filter },
        callAs(ana, 'customer'),
      );
      if (!listed.ok) throw new Error(listed.rejection.reason);
      pages.push(...listed.value.transactions.map(({ seq }) => Number(seq)));
      pageToken = listed.value.nextPageToken;
    } while (pageToken !== '');
    expect(pages).toEqual([5, 4, 3, 2, 1]);
  });

  it('a page token of another filter is refused', async () => {
    const first = await listTransactions(
      options(),
      { ...none, pageSize: 1, undone: false },
      callAs(ana, 'customer'),
    );
    const pageToken = first.ok ? first.value.nextPageToken : '';
    expect(await list({ pageToken, undone: true })).toEqual({ field: 'page_token' });
  });
});

describe('one transaction', () => {
  const get = async (command: Command, caller: ReturnType<typeof callAs>, userId = '') => {
    const by = { $case: 'transactionId', value: command.transactionId } as const;
    const found = await getTransaction(options(), { userId, currency: '', by }, caller);
    if (!found.ok) return found.rejection.reason;
    const { transaction, related } = found.value;
    return [transaction, ...related].map((one) => [one?.userId, one?.undoneMinor]);
  };

  it('how much of it was undone is shown', async () => {
    expect(await get(commands[1]!, callAs(ana, 'customer'))).toEqual([[ana, 150n]]);
    expect(await get(commands[0]!, callAs(ana, 'customer'))).toEqual([[ana, undefined]]);
  });

  it('a customer gets the own side of a transfer, and nothing of the other one', async () => {
    expect(await get(commands[2]!, callAs(ana, 'customer'))).toEqual([[ana, 20n]]);
    expect(await get(commands[2]!, callAs(bia, 'customer'))).toEqual([[bia, 20n]]);
    expect(await get(commands[2]!, callAs(randomUUID(), 'customer'))).toBe('TRANSACTION_NOT_FOUND');
  });

  it('staff get the side that paid, and the other one beside it', async () => {
    const sides = [
      [ana, 20n],
      [bia, 20n],
    ];
    expect(await get(commands[2]!, callAs(staff, 'operator'))).toEqual(sides);
    expect(await get(commands[5]!, callAs(staff, 'operator'))).toEqual([
      [bia, undefined],
      [ana, undefined],
    ]);
    expect(await get(commands[2]!, callAs(staff, 'operator'), bia)).toEqual([[bia, 20n]]);
  });
});
