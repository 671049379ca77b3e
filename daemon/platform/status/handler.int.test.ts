import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { callAs } from '../../../tests/support/grpc/calls.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { holdLock } from '../../../tests/support/postgres/hold-lock.ts';
import type { UserPrincipal } from '../access/access.ts';
import type { VerifiedKey } from '../access/api-keys.ts';
import { storeLetters } from '../dead-letters/store.ts';
import { createStatusHandler, maySeeOperations } from './handler.ts';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase('wallet');
});
afterAll(() => test.drop());

const operator = callAs(randomUUID(), 'operator');
const stalled = { part: 'wallet.outbox', ageMs: 61_000, isStalled: true, reason: 'no broker' };
const createGetStatus = () =>
  createStatusHandler({
    ...{ version: '1.2.3', expectedVersion: 1, db: test.db, hasLetters: true, hasOutbox: true },
    ...{ hasCheckpoints: true, checkpointEveryMs: 3_600_000 },
    broker: { isRabbitMq: true, findTrouble: () => 'connection refused' },
    readParts: () => [stalled, { ...stalled, part: 'wallet.fine', isStalled: false }],
    findTrouble: () => 'a wallet is corrupt',
  });

async function statusFor(as = operator, getStatus = createGetStatus()) {
  const answered = await getStatus({}, as);
  if (!answered.ok) throw new Error(answered.rejection.message);
  return answered.value.status;
}

describe('GetStatus', () => {
  it('staff learn what waits; customers get version, clock and schema alone', async () => {
    const text = '{"pattern":"x"}';
    const letter = { id: randomUUID(), queue: 'q', messageId: randomUUID(), reason: 'R' };
    const rest = { field: undefined, text, content: Buffer.from(text), deliveryId: randomUUID() };
    await storeLetters(test.db, [{ ...letter, ...rest }]);
    await test.query(
      `INSERT INTO outbox (events, event_count, created_at)
       VALUES ('[]', 7, now() - interval '1 minute')`,
    );
    const before = Date.now();
    const status = await statusFor();
    expect(status).toMatchObject({
      version: '1.2.3',
      schema: { expectedVersion: 1, appliedVersion: 1 },
      operational: {
        databaseTrouble: '',
        broker: { isRabbitmq: true, trouble: 'connection refused' },
        outbox: { events: 7n },
        deadLetters: { pending: 1, hasMore: false, oldestAt: expect.any(Date) as Date },
        stalled: [{ name: 'wallet.outbox', ageMs: 61_000n, reason: 'no broker' }],
        trouble: 'a wallet is corrupt',
      },
    });
    expect(Number(status.operational?.outbox?.ageMs)).toBeGreaterThanOrEqual(60_000);
    expect(status.serverTime?.getTime()).toBeGreaterThanOrEqual(before);
    const shown = await statusFor(callAs(randomUUID(), 'customer'));
    expect(shown).toMatchObject({ version: '1.2.3', schema: { appliedVersion: 1 } });
    expect(shown.operational).toBeUndefined();
  });

  it('staff learn of the last checkpoint, and whether the next one is overdue', async () => {
    const read = async () => (await statusFor(operator, createGetStatus())).operational?.checkpoint;
    expect(await read()).toBeUndefined();
    const take = (number: number, age: string) =>
      test.query(
        `INSERT INTO checkpoints (number, origin, taken_at, size, root, text, signature, key_id,
           block_starts, block_roots)
         VALUES ($1, gen_random_uuid(), now() - $2::interval, 3, sha256(''), '', '', '', '', '')`,
        [number, age],
      );
    await take(1, '121 minutes');
    expect(await read()).toMatchObject({ number: 1n, wallets: 3n, isOverdue: true });
    await take(2, '119 minutes');
    expect(await read()).toMatchObject({ number: 2n, isOverdue: false });
    await take(3, '-1 day');
    expect(await read()).toMatchObject({ number: 3n, ageMs: 0n, isOverdue: false });
  });

  it('a database that hangs is reported, and callers share one statement', async () => {
    const getStatus = createGetStatus();
    const release = await holdLock(
      test.superUrl,
      'LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE',
    );
    try {
      const all = await Promise.all(
        Array.from({ length: 50 }, () => statusFor(operator, getStatus)),
      );
      for (const { schema, operational } of all) {
        expect(schema).toEqual({ expectedVersion: 1, appliedVersion: undefined });
        expect(operational?.databaseTrouble).toBe('the database has not answered yet');
        expect(operational?.broker?.trouble).toBe('connection refused');
      }
      const [row] = await test.query<{ count: string }>(
        `SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      expect(row?.count).toBe('1');
    } finally {
      await release();
    }
  });
});

describe('who sees the operational figures', () => {
  const user = { kind: 'user', userId: randomUUID(), sessionId: undefined } as const;
  const key = (change: Partial<VerifiedKey> = {}): VerifiedKey => ({
    ...{ keyId: 'k', userId: user.userId, role: 'admin', scopes: ['dead-letters:read'] },
    ...{ walletId: undefined, operations: [], expiresAtMs: 0, hasOwnerTotp: true },
    ...change,
  });
  const cases: [string, UserPrincipal['role'], VerifiedKey | undefined, boolean][] = [
    ['a customer', 'customer', undefined, false],
    ['an operator', 'operator', undefined, true],
    ['an admin', 'admin', undefined, true],
    ['a key that reads dead letters', 'admin', key(), true],
    ['a key of another scope', 'admin', key({ scopes: ['wallets:read'] }), false],
    ['a key for one wallet', 'admin', key({ walletId: randomUUID() }), false],
    ['a key of a customer', 'customer', key({ role: 'customer' }), false],
  ];
  it.each(cases)('figures: %s', (_who, role, apiKey, isAllowed) => {
    expect(maySeeOperations({ ...user, role, apiKey })).toBe(isAllowed);
  });

  it('callers without a user see none', () => {
    expect(maySeeOperations({ kind: 'anonymous' })).toBe(false);
    expect(maySeeOperations({ kind: 'service' })).toBe(false);
  });
});
