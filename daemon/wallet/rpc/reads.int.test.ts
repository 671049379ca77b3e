import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { startCommitCutter } from '../../../tests/support/postgres/commit-cutter.ts';
import { buildCommand, walletRefOf } from '../../../tests/support/ledger/build-command.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { shiftClock } from '../../../tests/support/postgres/shifted-clock.ts';
import { classifyDbError, createDb, isCommitInDoubt, type Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { createLog } from '../../platform/log.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import type { Command } from '../domain.ts';
import { createKnownUsers } from '../requests/users.ts';
import { getBalance, listWallets } from './reads.ts';
import { getTransaction, listTransactions } from './transactions.ts';

const userId = randomUUID();
let test: TestDatabase;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
});
afterEach(() => test.drop());

const options = () => ({
  db: test.db,
  users: createKnownUsers((ids) => Promise.resolve(new Set(ids))),
  defaultCurrency: 'BRL',
});

const as = (id: string, role: 'customer' | 'operator' = 'customer'): CallContext => ({
  requestId: 'r',
  principal: { kind: 'user', userId: id, role, sessionId: randomUUID(), apiKey: undefined },
  source: '127.0.0.1',
  deadlineMs: performance.now() + 10_000,
  isCancelled: () => false,
});

const deposit = (key: string, amountMinor: bigint, currency = 'BRL', exponent = 2): Command =>
  buildCommand(userId, { key, amountMinor, wallet: walletRefOf(userId, currency, exponent) });

const withClock = (offsetMs: number): Db => shiftClock(test.db, offsetMs);

const balance = async (at?: Date, db: Db = test.db) => {
  const request = { userId: '', currency: '', at };
  const answer = await getBalance({ ...options(), db }, request, as(userId));
  if (!answer.ok) throw new Error(answer.rejection.reason);
  return { balanceMinor: answer.value.wallet?.balanceMinor, seq: answer.value.wallet?.seq };
};

describe('balance', () => {
  it.each([2_000, 120_000])(
    'a balance as of a time stays the same when the clock steps back by %d ms',
    async (ms) => {
      const ahead = createOptimisticCommit(withClock(0));
      const behind = createOptimisticCommit(withClock(-ms));
      await ahead([deposit('a', 10_000n)]);
      const at = new Date();
      await new Promise((resolve) => setTimeout(resolve, 5));
      const reported = { balanceMinor: 10_000n, seq: 1n };
      expect(await balance(at)).toEqual(reported);
      // The first reads under the lock, the second goes by what the first left.
      for (const key of ['b', 'c']) {
        expect(await behind([deposit(key, 500n)])).toMatchObject([{ ok: true }]);
        expect(await balance(at, withClock(-ms))).toEqual(reported);
        expect(await balance(at)).toEqual(reported);
      }
      expect(await balance(undefined, withClock(-ms))).toEqual({ balanceMinor: 11_000n, seq: 3n });
    },
  );

  it('a service’s balance includes the last entry; no later one can have its time', async () => {
    await createOptimisticCommit(withClock(0))([deposit('a', 10_000n)]);
    const behind = withClock(-2_000);
    const request = { userId, currency: 'BRL', at: undefined };
    const caller = { ...as(userId), principal: { kind: 'service' as const } };
    const answer = await getBalance({ ...options(), db: behind }, request, caller);
    if (!answer.ok) throw new Error(answer.rejection.reason);
    await createOptimisticCommit(behind)([deposit('b', 500n)]);
    const rows = await test.query<{ at_ms: string }>(
      `SELECT (extract(epoch FROM occurred_at) * 1000)::bigint AS at_ms FROM transactions ORDER BY seq`,
    );
    const [firstMs, laterMs] = rows.map(({ at_ms: atMs }) => Number(atMs));
    expect(answer.value.asOf!.getTime()).toBeGreaterThan(firstMs!);
    expect(laterMs).toBeGreaterThanOrEqual(answer.value.asOf!.getTime());
  });

  it('the balance of a wallet never opened is 0 with seq 0', async () => {
    expect(await balance()).toEqual({ balanceMinor: 0n, seq: 0n });
    expect(await balance(new Date())).toEqual({ balanceMinor: 0n, seq: 0n });
  });

  it('a balance as of a time is the one after the last transaction up to it', async () => {
    for (let i = 1; i <= 33; i += 1) {
      await createOptimisticCommit(test.db)([deposit(`k${i}`, BigInt(i)), deposit(`l${i}`, 1000n)]);
    }
    const rows = await test.query<{ seq: string; at_ms: string; balance_after: string }>(
      `SELECT seq, (extract(epoch FROM occurred_at) * 1000)::bigint AS at_ms, balance_after
       FROM transactions ORDER BY seq`,
    );
    for (const time of rows.flatMap((row) => [Number(row.at_ms) - 1, Number(row.at_ms)])) {
      const last = rows.filter((row) => Number(row.at_ms) <= time).at(-1);
      expect(await balance(new Date(time))).toEqual({
        balanceMinor: BigInt(last?.balance_after ?? 0),
        seq: BigInt(last?.seq ?? 0),
      });
    }
  });

  it('a balance as of a time never changes once returned, despite concurrent writes', async () => {
    let isWriting = true;
    const writers = [1, 2, 3].map(async () => {
      while (isWriting) await createOptimisticCommit(test.db)([deposit(randomUUID(), 1n)]);
    });
    const reported: { at: Date; seq: bigint | undefined }[] = [];
    while (reported.length < 60) {
      const answer = await getBalance(
        options(),
        { userId: '', currency: '', at: new Date() },
        as(userId),
      );
      // The writers leave the wallet free for moments only.
      if (!answer.ok && answer.rejection.reason === 'WALLET_BUSY') continue;
      if (!answer.ok) throw new Error(answer.rejection.reason);
      const { asOf, wallet } = answer.value;
      reported.push({ at: asOf ?? new Date(0), seq: wallet?.seq });
    }
    isWriting = false;
    await Promise.all(writers);
    for (const { at, seq } of reported) expect((await balance(at)).seq).toBe(seq);
  });

  it.each([new Date(NaN), new Date(-8e15), new Date(8e15)])(
    'a balance as of %s is refused',
    async (at) => {
      const answer = await getBalance(options(), { userId: '', currency: '', at }, as(userId));
      expect(answer).toMatchObject({ ok: false, rejection: { metadata: { field: 'at' } } });
    },
  );
});

describe('transactions', () => {
  const list = (fields: object, caller = as(userId)) =>
    listTransactions(
      options(),
      {
        userId: '',
        currency: '',
        pageSize: 3,
        pageToken: '',
        ascending: false,
        operation: 0,
        idPrefix: '',
        ...fields,
      },
      caller,
    );

  it.each([true, false])(
    'transactions are paged without a gap while new ones come (ascending: %s)',
    async (ascending) => {
      await createOptimisticCommit(test.db)(
        Array.from({ length: 8 }, (_, i) => deposit(`k${i}`, 1n)),
      );
      const seqs: bigint[] = [];
      let pageToken = '';
      do {
        const page = await list({ ascending, pageToken });
        if (!page.ok) throw new Error(page.rejection.reason);
        seqs.push(...page.value.transactions.map((transaction) => transaction.seq));
        pageToken = page.value.nextPageToken;
        if (!ascending) await createOptimisticCommit(test.db)([deposit(randomUUID(), 1n)]);
      } while (pageToken !== '');
      const expected = Array.from({ length: 8 }, (_, i) => BigInt(i + 1));
      expect(seqs).toEqual(ascending ? expected : expected.reverse());
    },
  );

  it('a transaction of another user is not found, by id or key; its owner and staff read it', async () => {
    const [posted] = await createOptimisticCommit(test.db)([deposit('k', 1n)]);
    if (posted === undefined || typeof posted === 'string' || !posted.ok)
      throw new Error('not done');
    const { id } = posted.value.entry;
    const other = as(randomUUID());
    const ask = (value: string, caller: CallContext, user = '') =>
      getTransaction(
        options(),
        { by: { $case: 'transactionId', value }, userId: user, currency: '' },
        caller,
      );
    const askByKey = (caller: CallContext, user = '') =>
      getTransaction(
        options(),
        { by: { $case: 'idempotencyKey', value: 'k' }, userId: user, currency: '' },
        caller,
      );
    expect(await askByKey(as(userId))).toMatchObject({ ok: true, value: { transaction: { id } } });
    expect(await askByKey(other)).toMatchObject({ rejection: { reason: 'TRANSACTION_NOT_FOUND' } });
    expect(await askByKey(other, userId)).toMatchObject({
      rejection: { reason: 'USER_NOT_FOUND' },
    });
    expect(await ask(id, other)).toMatchObject({ rejection: { reason: 'TRANSACTION_NOT_FOUND' } });
    expect(await ask(id, other, userId)).toMatchObject({ rejection: { reason: 'USER_NOT_FOUND' } });
    expect(await ask(id, as(userId))).toMatchObject({ ok: true });
    expect(await ask(id, as(randomUUID(), 'operator'))).toMatchObject({ ok: true });
    expect(await list({ userId }, other)).toMatchObject({
      rejection: { reason: 'USER_NOT_FOUND' },
    });
  });

  it('listing the transactions of an unknown operation number is refused', async () => {
    expect(await list({ operation: 77 })).toMatchObject({
      rejection: { metadata: { field: 'operation' } },
    });
  });
});

describe('wallets', () => {
  const list = (user: string, caller: CallContext) =>
    listWallets(options(), { userId: user, pageSize: 0, pageToken: '' }, caller);

  it('wallets are listed in all currencies, to their owner and to staff only', async () => {
    await createOptimisticCommit(test.db)([
      deposit('a', 1n),
      deposit('b', 1n, 'JPY', 0),
      deposit('c', 1n, 'KWD', 3),
    ]);
    const own = await list('', as(userId));
    if (!own.ok) throw new Error(own.rejection.reason);
    expect(own.value.wallets.map((wallet) => wallet.currency)).toEqual(['BRL', 'JPY', 'KWD']);
    expect(await list('', as(randomUUID()))).toMatchObject({ value: { wallets: [] } });
    expect(await list(userId, as(randomUUID()))).toMatchObject({ ok: false });
    const staff = await list('', as(randomUUID(), 'operator'));
    expect(staff.ok && staff.value.wallets.length).toBe(3);
  });

  it('wallets in a withdrawn currency are listed, read and paid out; none is opened', async () => {
    const commit = createOptimisticCommit(test.db);
    const [refused] = await commit([deposit('a', 1n, 'HRK')]);
    expect(refused).toMatchObject({ ok: false, rejection: { reason: 'CURRENCY_UNKNOWN' } });
    // Opened while it was current.
    await commit([deposit('b', 5n, 'EUR')]);
    const id = walletIdOf(userId, 'HRK');
    const asOther = { ...walletRefOf(userId, 'EUR'), id };
    await createOptimisticCommit(test.db)([buildCommand(userId, { key: 'c', wallet: asOther })]);
    await test.query("UPDATE wallets SET currency = 'HRK' WHERE id = $1", [id]);
    expect(await commit([deposit('d', 600n, 'HRK')])).toMatchObject([{ ok: true }]);
    const own = await list('', as(userId));
    if (!own.ok) throw new Error(own.rejection.reason);
    expect(own.value.wallets.map(({ currency }) => currency)).toEqual(['EUR', 'HRK']);
    const payout = { ...deposit('e', 700n, 'HRK'), operation: 'withdraw' } as const;
    expect(await commit([payout])).toMatchObject([
      { ok: true, value: { entry: { balanceAfterMinor: 0n } } },
    ]);
  });
});

it.each([undefined, new Date(1_000)])('a balance (at %s) is no in-doubt commit', async (at) => {
  await createOptimisticCommit(test.db)([deposit('k', 100n)]);
  const cutter = await startCommitCutter(test.url);
  const log = createLog('silent');
  const db = createDb({ url: cutter.url, name: 'cut', maxConnections: 2, log });
  try {
    cutter.cut(1);
    const request = { userId: '', currency: 'BRL', at };
    const reading = getBalance({ ...options(), db }, request, as(userId));
    const err: unknown = await reading.catch((failure: unknown) => failure);
    expect(cutter.cuts).toBe(1);
    expect(classifyDbError(err)).toBe('transient');
    expect(isCommitInDoubt(err)).toBe(false);
  } finally {
    await db.close();
    await cutter.stop();
  }
});
