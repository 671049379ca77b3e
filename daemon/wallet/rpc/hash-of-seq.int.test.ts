import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import type { Command } from '../domain.ts';
import { getBalance } from './reads.ts';
import { createKnownUsers } from '../requests/users.ts';

const owner = randomUUID();
let test: TestDatabase;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  await createOptimisticCommit(test.db)(['a', 'b', 'c'].map(deposit));
});
afterEach(() => test.drop());

const deposit = (key: string): Command => buildCommand(owner, { key });

const asUser = (userId: string): CallContext['principal'] => {
  const of = { role: 'customer' as const, sessionId: randomUUID(), apiKey: undefined };
  return { kind: 'user', userId, ...of };
};

async function ask(principal: CallContext['principal'], hashOfSeq: bigint | undefined, at?: Date) {
  const options = {
    db: test.db,
    users: createKnownUsers((ids) => Promise.resolve(new Set(ids))),
    defaultCurrency: 'BRL',
  };
  const context = {
    ...{ requestId: 'r', principal, source: '127.0.0.1' },
    ...{ deadlineMs: performance.now() + 10_000, isCancelled: () => false },
  };
  const userId = principal.kind === 'user' ? '' : owner;
  const request = { userId, currency: 'BRL', at, hashOfSeq };
  const answer = await getBalance(options, request, context);
  if (!answer.ok) throw new Error(answer.rejection.reason);
  const { hashOfSeq: hash, wallet } = answer.value;
  return { hash: hash && Buffer.from(hash).toString('hex'), lastHash: wallet?.lastHash };
}

it.each([{ kind: 'service' as const }, asUser(owner)])(
  'a balance comes with the hash of a requested transaction, for $kind',
  async (principal) => {
    const rows = await test.query<{ hash: string }>(
      "SELECT encode(hash, 'hex') AS hash FROM transactions ORDER BY seq",
    );
    for (const [i, { hash }] of rows.entries()) {
      expect((await ask(principal, BigInt(i + 1))).hash).toBe(hash);
      expect((await ask(principal, BigInt(i + 1), new Date())).hash).toBe(hash);
    }
    expect((await ask(principal, 3n)).lastHash).toEqual(Buffer.from(rows[2]!.hash, 'hex'));
    for (const absent of [undefined, 0n, -1n, 4n, 2n ** 63n - 1n]) {
      expect((await ask(principal, absent)).hash).toBeUndefined();
    }
  },
);

it('a balance request of another user gets no hash of the owner’s transaction', async () => {
  expect((await ask(asUser(randomUUID()), 1n)).hash).toBeUndefined();
});
