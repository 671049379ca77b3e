import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../core/ids.ts';
import { Operation } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { callAs, readAudit } from '../../tests/support/grpc/calls.ts';
import { startCommitCutter } from '../../tests/support/postgres/commit-cutter.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/support/postgres/database.ts';
import { createDb, type Db } from '../platform/db/db.ts';
import type { CallContext } from '../platform/grpc/calls.ts';
import { createLog } from '../platform/log.ts';
import { serveCalls, verdictOf } from './test-support.ts';

const userId = randomUUID();
const operatorId = randomUUID();
const log = createLog('silent');
const operator = callAs(operatorId, 'operator');
let test: TestDatabase;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
});
afterEach(() => test.drop());

const serve = (commitDb?: Db) => serveCalls(test, commitDb);

const page = { pageSize: 0, pageToken: '' };
const anyOperation = Operation.UNSPECIFIED;
const all = { ascending: false, operation: anyOperation, idPrefix: '' };
const listing = { userId: '', currency: '', ...page, ...all };

describe('an API key for one wallet', () => {
  const brl = walletIdOf(userId, 'BRL');
  const key = callAs(userId, 'customer', { walletId: brl });

  it('an API key for one wallet reaches it by every call, and no other wallet', async () => {
    const { create, get, list, balance, wallets } = serve();
    const transactions: Record<string, string> = {};
    for (const currency of ['BRL', 'EUR']) {
      const done = await create({ currency, idempotencyKey: 'k' }, callAs(userId));
      if (!done.ok) throw new Error(done.rejection.reason);
      transactions[currency] = done.value.transaction?.id ?? '';
    }
    const callsOn = async (currency: string) => [
      await create({ currency }, key),
      await create({ currency }, key, true),
      await list({ ...listing, currency }, key),
      await balance({ userId: '', currency }, key),
      await get({ userId: '', currency, by: { $case: 'idempotencyKey', value: 'k' } }, key),
    ];
    const denied = 'PERMISSION_DENIED, denied';
    expect((await callsOn('BRL')).map(verdictOf)).toEqual(Array(5).fill('ok'));
    expect((await callsOn('EUR')).map(verdictOf)).toEqual(Array(5).fill(denied));
    const byId = (value: string) =>
      get({ userId: '', currency: '', by: { $case: 'transactionId', value } }, key);
    expect(verdictOf(await byId(transactions['BRL'] ?? ''))).toBe('ok');
    const [foreign, absent] = [await byId(transactions['EUR'] ?? ''), await byId(randomUUID())];
    expect(verdictOf(foreign)).toBe('TRANSACTION_NOT_FOUND, denied');
    expect(verdictOf(absent)).toBe('TRANSACTION_NOT_FOUND');
    const all = await wallets({ userId: '', ...page }, key);
    expect(all).toMatchObject({ ok: true, value: { wallets: [{ id: brl }] } });
  });

  it('an API key of staff for one wallet reaches only that wallet', async () => {
    const { create, get, wallets } = serve();
    for (const owner of [userId, randomUUID()]) await create({ userId: owner }, operator);
    const staffKey = callAs(operatorId, 'operator', { walletId: brl });
    for (const named of ['', userId]) {
      const all = await wallets({ userId: named, ...page }, staffKey);
      expect(all.ok && all.value.wallets.map((w) => w.id)).toEqual([brl]);
    }
    const rows = await test.query<{ id: string; wallet_id: string }>('SELECT * FROM transactions');
    for (const { id, wallet_id } of rows) {
      const found = await get(
        { userId: '', currency: '', by: { $case: 'transactionId', value: id } },
        staffKey,
      );
      expect(found.ok).toBe(wallet_id === brl);
    }
  });
});

describe('an API key for some operations', () => {
  it('an API key for some operations posts those and no others, in a dry run too', async () => {
    const { create } = serve();
    const key = callAs(userId, 'customer', { operations: ['deposit'] });
    const denied = 'OPERATION_NOT_ALLOWED, denied';
    expect(verdictOf(await create({}, key))).toBe('ok');
    expect(verdictOf(await create({ operation: Operation.WITHDRAW }, key))).toBe(denied);
    expect(verdictOf(await create({ operation: Operation.WITHDRAW }, key, true))).toBe(denied);
  });

  it('an API key of staff for some operations keeps the rules for staff', async () => {
    const { create } = serve();
    const key = callAs(operatorId, 'operator', { operations: ['deposit'] });
    expect(verdictOf(await create({}, key))).toBe('USER_REQUIRED');
    expect(verdictOf(await create({ userId: operatorId }, key))).toBe('STAFF_OWN_WALLET, denied');
    const done = await create({ userId }, key);
    expect(done).toMatchObject({ value: { transaction: { actor: operatorId } } });
    const [line] = await readAudit(test);
    const keyId = key.principal.kind === 'user' ? key.principal.apiKey?.keyId : '';
    expect(line).toMatchObject({ actor: operatorId, details: { apiKeyId: keyId } });
  });
});

describe('actions of staff', () => {
  it('an action of staff is recorded with its outcome; one of a customer is not', async () => {
    const { create } = serve();
    await create({ idempotencyKey: 'own' }, callAs(userId));
    await create({ userId, idempotencyKey: 'k' }, operator);
    await create({ userId, idempotencyKey: 'k' }, operator);
    await create({ userId, operation: Operation.WITHDRAW, amountMinor: 99_900n }, operator);
    const lines = await readAudit(test);
    expect(lines.map((line) => [line.action, line.result, line.details['amount']])).toEqual([
      ['transaction.create', 'ok', '5.00'],
      ['transaction.create', 'replayed', '5.00'],
      ['transaction.create', 'INSUFFICIENT_FUNDS', '999.00'],
    ]);
    for (const line of lines) {
      expect(line).toMatchObject({
        actor: operatorId,
        actorRole: 'operator',
        target: userId,
        requestId: operator.requestId,
      });
    }
  });

  it('the line of a read transfer names both owners, and of one side its owner', async () => {
    const { create, get } = serve();
    const payeeId = randomUUID();
    await create({ userId }, operator);
    const transfer = { userId, operation: Operation.TRANSFER, toUserId: payeeId, amountMinor: 1n };
    const done = await create({ ...transfer, idempotencyKey: 'transfer' }, operator);
    const id = done.ok ? (done.value.transaction?.id ?? '') : '';
    const by = { $case: 'transactionId', value: id } as const;
    for (const named of ['', payeeId]) {
      expect(verdictOf(await get({ userId: named, currency: '', by }, operator))).toBe('ok');
    }
    const lines = (await readAudit(test)).filter(({ action }) => action === 'transaction.get');
    expect(lines.map(({ target, details }) => [target, details])).toEqual([
      [userId, { transactionId: id, otherUserId: payeeId }],
      [payeeId, { transactionId: id }],
    ]);
  });

  it('an action of staff is recorded once though the answer to COMMIT is lost', async () => {
    const cutter = await startCommitCutter(test.url);
    const db = createDb({ url: cutter.url, name: 'cut', maxConnections: 4, log });
    try {
      const { create } = serve(db);
      await create({ userId }, operator);
      cutter.cut(2);
      const amounts = [1n, 2n, 99_900n];
      const results = await Promise.all(
        amounts.map((amountMinor) =>
          create({ userId, amountMinor, operation: Operation.WITHDRAW }, operator),
        ),
      );
      expect(cutter.cuts).toBe(2);
      expect(results.map(verdictOf)).toEqual(['ok', 'ok', 'INSUFFICIENT_FUNDS']);
      const recorded = (await readAudit(test)).map((line) => line.result);
      expect(recorded.toSorted()).toEqual(['INSUFFICIENT_FUNDS', 'ok', 'ok', 'ok']);
    } finally {
      await db.close();
      await cutter.stop();
    }
  });

  it('an action of staff has no effect if the audit log cannot be written', async () => {
    await test.query('DROP TABLE audit_log');
    const rejection = { reason: 'INTERNAL', metadata: { outcome: 'not done' } };
    expect(await serve().create({ userId }, operator)).toMatchObject({ ok: false, rejection });
    expect(await test.query('SELECT 1 FROM transactions')).toEqual([]);
  });
});

describe('reads by staff', () => {
  it('a read of another user by staff is recorded, dry runs too; an own one is not', async () => {
    const { create, get, list, balance, wallets } = serve();
    const created = await create({ idempotencyKey: 'k' }, callAs(userId));
    const id = (created.ok && created.value.transaction?.id) || '';
    const readAll = async (context: CallContext, named: string) => {
      await get({ userId: '', currency: '', by: { $case: 'transactionId', value: id } }, context);
      await list({ ...listing, userId: named }, context);
      await balance({ userId: named, currency: '' }, context);
      await wallets({ userId: named, ...page }, context);
    };
    await readAll(callAs(userId), '');
    await balance({ userId: operatorId, currency: '' }, operator);
    expect(await readAudit(test)).toEqual([]);
    await readAll(operator, userId);
    await create({ userId, operation: Operation.WITHDRAW, amountMinor: 501n }, operator, true);
    await wallets({ userId: '', ...page }, operator);
    const lines = await readAudit(test);
    expect(lines.map((line) => [line.action, line.target, line.result])).toEqual([
      ['transaction.get', userId, 'ok'],
      ['transaction.list', userId, 'ok'],
      ['wallet.balance', userId, 'ok'],
      ['wallet.list', userId, 'ok'],
      ['transaction.dry_run', userId, 'INSUFFICIENT_FUNDS'],
      ['wallet.list', 'all users', 'ok'],
    ]);
  });

  it('a read by staff fails if the audit log cannot be written', async () => {
    const { create, balance } = serve();
    await create({}, callAs(userId));
    await test.query('DROP TABLE audit_log');
    const unavailable = 'DATABASE_UNAVAILABLE';
    expect(verdictOf(await balance({ userId, currency: '' }, operator))).toBe(unavailable);
    expect(verdictOf(await create({ userId }, operator, true))).toBe(unavailable);
    expect(verdictOf(await balance({ userId: '', currency: '' }, callAs(userId)))).toBe('ok');
  });
});
