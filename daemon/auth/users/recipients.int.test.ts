import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { callAs } from '../../../tests/support/grpc/calls.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { Db, Tx } from '../../platform/db/db.ts';
import { createThrottle } from '../throttling/throttle.ts';
import { resolveRecipient } from './recipients.ts';

let test: TestDatabase;
const secret = Buffer.alloc(32, 1);

beforeAll(async () => {
  test = await createTestDatabase('auth');
});
afterAll(() => test.drop());

const insertSql = `INSERT INTO users (id, email, password_hash, role, email_verified, disabled)
  VALUES ($1, $2, 'x', 'customer', $3, $4)`;

async function addUser(name: string, isVerified = true, isDisabled = false) {
  const [id, email] = [randomUUID(), `${name}-${randomUUID()}@example.com`];
  await test.query(insertSql, [id, email, isVerified, isDisabled]);
  return { id, email };
}

/** Each with a throttle of its own, as another daemon or a restarted one has it. */
const ask = (email: string, userId: string, db: Db = test.db) => {
  const throttle = createThrottle({ db: test.db, secret });
  return resolveRecipient({ db, throttle }, { email }, callAs(userId));
};

const reasonOf = (answer: Awaited<ReturnType<typeof ask>>) =>
  answer.ok ? 'ok' : answer.rejection.reason;

async function askTimes(count: number, email: string, userId: string): Promise<string[]> {
  const reasons: string[] = [];
  for (let i = 0; i < count; i += 1) reasons.push(reasonOf(await ask(email, userId)));
  return reasons;
}

/** The statements of a call, in order, whatever their values. */
async function statementsOf(email: string, userId: string): Promise<unknown[]> {
  const sent: unknown[] = [];
  const note = (tx: Tx): Tx => ({
    ...tx,
    query: (statement, values) => (sent.push(statement), tx.query(statement, values)),
    execute: (statement, values) => (sent.push(statement), tx.execute(statement, values)),
  });
  const db: Db = {
    ...test.db,
    tx: (work) => test.db.tx((tx, sendCommit) => work(note(tx), sendCommit)),
  };
  await ask(email, userId, db);
  return sent;
}

describe('resolving a recipient', () => {
  it('a customer finds a verified user by address, and sees it masked', async () => {
    const { id, email } = await addUser('ana');
    const maskedEmail = 'a***@example.com';
    const found = { ok: true, value: { userId: id, maskedEmail } };
    expect(await ask(` ${email.toUpperCase()}`, randomUUID())).toEqual(found);
  });

  it('unknown, unverified and disabled users get one answer by the same statements', async () => {
    const known = await addUser('known');
    const hidden = [
      `${randomUUID()}@example.com`,
      (await addUser('unverified', false)).email,
      (await addUser('disabled', true, true)).email,
      (await addUser('both', false, true)).email,
    ];
    const userId = randomUUID();
    const answers = await Promise.all(hidden.map((email) => ask(email, userId)));
    expect(answers[0]).toMatchObject({
      rejection: { reason: 'RECIPIENT_NOT_FOUND', metadata: { field: 'email' } },
    });
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    const ofHit = await statementsOf(known.email, randomUUID());
    expect(ofHit.length).toBeGreaterThan(3);
    for (const email of hidden) expect(await statementsOf(email, randomUUID())).toEqual(ofHit);
  });

  it('a text that is no address is refused, and counts as no miss', async () => {
    const [{ email }, userId] = [await addUser('ana'), randomUUID()];
    expect(new Set(await askTimes(30, 'no address', userId))).toEqual(new Set(['EMAIL_INVALID']));
    expect(reasonOf(await ask(email, userId))).toBe('ok');
  });

  it('after 20 misses in an hour a user finds no one, and others do', async () => {
    const [{ email }, userId] = [await addUser('ana'), randomUUID()];
    const unknown = `${randomUUID()}@example.com`;
    expect(new Set(await askTimes(30, email, userId))).toEqual(new Set(['ok']));
    const misses = await Promise.all(Array.from({ length: 25 }, () => ask(unknown, userId)));
    const counted = misses.map(reasonOf).filter((reason) => reason === 'RECIPIENT_NOT_FOUND');
    expect(counted.length).toBe(20);
    for (const asked of [email, unknown]) {
      const refused = await ask(asked, userId);
      expect(refused).toMatchObject({ rejection: { reason: 'THROTTLED' } });
      const { rejection } = refused as Extract<typeof refused, { ok: false }>;
      expect(Number(rejection.metadata['retryAfterSeconds'])).toBeGreaterThan(3_500);
    }
    expect(reasonOf(await ask(email, randomUUID()))).toBe('ok');
  });

  it('after 200 hits in an hour a user finds no one', async () => {
    const [{ email }, userId] = [await addUser('ana'), randomUUID()];
    const hits = await Promise.all(Array.from({ length: 210 }, () => ask(email, userId)));
    expect(hits.filter(({ ok }) => ok).length).toBe(200);
    expect(reasonOf(await ask(`${randomUUID()}@example.com`, userId))).toBe('THROTTLED');
  });
});
