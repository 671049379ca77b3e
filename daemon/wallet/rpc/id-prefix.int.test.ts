import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { buildCommand, walletRefOf } from '../../../tests/support/ledger/build-command.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import { createKnownUsers } from '../requests/users.ts';
import { listTransactions } from './transactions.ts';

const userId = randomUUID();
let test: TestDatabase;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
});
afterEach(() => test.drop());

const as = (id: string, role: 'customer' | 'operator' = 'customer'): CallContext => ({
  requestId: 'r',
  principal: { kind: 'user', userId: id, role, sessionId: randomUUID(), apiKey: undefined },
  source: '127.0.0.1',
  deadlineMs: performance.now() + 10_000,
  isCancelled: () => false,
});

const deposit = (key: string, amountMinor: bigint, currency = 'BRL') =>
  buildCommand(userId, { key, amountMinor, wallet: walletRefOf(userId, currency, 2) });

const all = { userId: '', currency: '', pageSize: 30, pageToken: '', ascending: false };

const list = (fields: object, caller = as(userId)) => {
  const users = createKnownUsers((ids) => Promise.resolve(new Set(ids)));
  const options = { db: test.db, users, defaultCurrency: 'BRL' };
  return listTransactions(options, { ...all, operation: 0, idPrefix: '', ...fields }, caller);
};

it('a list by id_prefix has only the transactions of the wallet whose id begins with it', async () => {
  const commands = Array.from({ length: 20 }, (_, i) => deposit(`k${i}`, 1n));
  await createOptimisticCommit(test.db)([...commands, deposit('k0', 1n, 'EUR')]);
  const idsOf = async (idPrefix: string, fields: object = {}, caller = as(userId)) => {
    const page = await list({ idPrefix, ...fields }, caller);
    if (!page.ok) throw new Error(page.rejection.reason);
    return page.value.transactions.map(({ id }) => id);
  };
  const [id = ''] = await idsOf('');
  for (const length of [8, 9, 12, 14, 36]) {
    for (const ascending of [true, false]) {
      expect(await idsOf(id.slice(0, length), { ascending })).toEqual([id]);
    }
  }
  expect(await idsOf(id.slice(0, 8), { currency: 'EUR' })).toEqual([]);
  expect(await idsOf(id.slice(0, 8), {}, as(randomUUID()))).toEqual([]);
  expect(await idsOf(id.slice(0, 8), { operation: 2 })).toEqual([]);
  const operator = as(randomUUID(), 'operator');
  expect(await idsOf(id.slice(0, 8), { userId }, operator)).toEqual([id]);
});

it.each(['6b6a2f0', '6B6A2F0C', '6b6a2f0c8', '6b6a2f0c-8f5e-5c1b-9f43-0d8f2a1c7e55-0', '6b6a2f0_'])(
  'id_prefix %j is refused',
  async (idPrefix) => {
    const answer = await list({ idPrefix });
    expect(answer).toMatchObject({ ok: false, rejection: { metadata: { field: 'id_prefix' } } });
  },
);
