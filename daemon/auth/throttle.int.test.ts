import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startAuthServer, type AuthServer } from '../../tests/support/auth-server.ts';
import { AuthServiceService as rpc } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { refuse, type Result } from '../../core/reasons.ts';
import { pruneAttempts, takeAttempt } from './throttle-store.ts';
import { createThrottle } from './throttle.ts';

const password = 'correct horse battery';
let server: AuthServer;
let count = 0;

beforeAll(async () => {
  server = await startAuthServer();
});

afterAll(() => server.stop());

const newEmail = () => `user${(count += 1)}@example.com`;
/** An address of its own for whoever asks. */
const newSource = () => `203.0.${Math.floor((count += 1) / 250)}.${count % 250}`;
const reasonOf = (result: Result<unknown>) => (result.ok ? 'ok' : result.rejection.reason);

async function customer(): Promise<string> {
  const email = newEmail();
  const signedUp = await server.callFrom(newSource(), rpc.signUp, { email, password });
  expect(reasonOf(signedUp)).toBe('ok');
  return email;
}

const signIn = (
  email: string,
  text: string,
  more: { source?: string; deviceToken?: string } = {},
) =>
  server.callFrom(more.source ?? newSource(), rpc.signIn, {
    email,
    password: text,
    client: 'test',
    deviceToken: more.deviceToken ?? '',
  });

async function deviceOf(email: string): Promise<string> {
  const signedIn = await signIn(email, password);
  if (!signedIn.ok) throw new Error(signedIn.rejection.message);
  return signedIn.value.deviceToken;
}

/** How often each answer came. */
function tally(results: readonly Result<unknown>[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const reason of results.map(reasonOf)) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

async function guess(email: string, times: number, more = {}): Promise<string[]> {
  const reasons: string[] = [];
  for (let i = 0; i < times; i += 1)
    reasons.push(reasonOf(await signIn(email, `wrong ${i}`, more)));
  return reasons;
}

/** Again while the server has too much in hand, as whoever guesses would. */
async function insist(attempt: () => ReturnType<typeof signIn>): ReturnType<typeof signIn> {
  for (;;) {
    const result = await attempt();
    if (reasonOf(result) !== 'OVERLOADED') return result;
    await sleep(20);
  }
}

/** Wrong passwords until nobody is let in any more, for an hour. */
async function exhaust(email: string, more = {}): Promise<void> {
  expect(await guess(email, 5, more)).not.toContain('THROTTLED');
  await server.database.query(
    `UPDATE attempts SET blocked_until = blocked_until + interval '1 hour',
       forgotten_at = forgotten_at + interval '1 hour' WHERE count = 5`,
  );
}

/** As if so many seconds had passed for every counter. */
const pass = (seconds: number) =>
  server.database.query(
    `UPDATE attempts SET blocked_until = blocked_until - $1 * interval '1 second',
       forgotten_at = forgotten_at - $1 * interval '1 second'`,
    [seconds],
  );

describe('guesses at an account', () => {
  it('a thousand at once from a thousand sources: five reach the check; the owner’s device signs in', async () => {
    const email = await customer();
    const deviceToken = await deviceOf(email);
    const guesses = Array.from({ length: 1_000 }, (_, i) =>
      insist(() => signIn(email, `wrong password ${i}`)),
    );
    const owner = await insist(() => signIn(email, password, { deviceToken }));
    const counts = tally(await Promise.all(guesses));
    expect(reasonOf(owner)).toBe('ok');
    // More may have been let in if the thousand took longer than the waits: one a wait.
    const checked = counts['CREDENTIALS_INVALID'] ?? 0;
    expect(checked).toBeGreaterThanOrEqual(5);
    expect(checked).toBeLessThanOrEqual(10);
  });

  it('five are free, then the wait doubles up to five minutes, and is told', async () => {
    await server.database.query('TRUNCATE attempts');
    const email = newEmail();
    expect(await guess(email, 5)).not.toContain('THROTTLED');
    const waits: number[] = [];
    for (let i = 0; i < 11; i += 1) {
      const [row] = await server.database.query<{ seconds: number }>(
        `SELECT round(extract(epoch FROM blocked_until - forgotten_at) + 3600)::integer AS seconds
         FROM attempts ORDER BY count DESC LIMIT 1`,
      );
      waits.push(row?.seconds ?? 0);
      await pass(row?.seconds ?? 0);
      expect(await guess(email, 1)).toEqual(['CREDENTIALS_INVALID']);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    const refused = await signIn(email, password);
    if (refused.ok) throw new Error('let in');
    const { message, metadata } = refused.rejection;
    const seconds = metadata['retryAfterSeconds'] ?? '';
    expect(message).toBe(`too many attempts: try again in ${seconds} s`);
    expect(Number(seconds)).toBeGreaterThan(200);
    expect(Number(seconds)).toBeLessThanOrEqual(300);
  });

  it('are answered alike whether or not there is such an account', async () => {
    const answers: Result<unknown>[][] = [];
    for (const email of [await customer(), newEmail(), 'no address']) {
      const wrong = await signIn(email, 'wrong');
      await guess(email, 4);
      await server.database.query(
        `UPDATE attempts SET blocked_until = date_trunc('hour', clock_timestamp()) + interval '30 days'
         WHERE count = 5`,
      );
      answers.push([wrong, await signIn(email, password)]);
    }
    expect(answers[0]?.map(reasonOf)).toEqual(['CREDENTIALS_INVALID', 'THROTTLED']);
    // The seconds that are left go down meanwhile.
    const shapes = answers.map((pair) => JSON.stringify(pair).replace(/\d{7}/g, 'N'));
    expect(new Set(shapes).size).toBe(1);
  });

  it('in another case or form count against the same account', async () => {
    const email = await customer();
    await guess(email, 2);
    await guess(` ${email} `, 2);
    expect(await guess(email.toUpperCase(), 2)).toEqual(['CREDENTIALS_INVALID', 'THROTTLED']);
  });

  it('are forgotten after a success, and after an hour', async () => {
    const email = await customer();
    await guess(email, 4);
    expect(reasonOf(await signIn(email, password))).toBe('ok');
    expect(await guess(email, 5)).not.toContain('THROTTLED');
    await pass(3_601);
    await exhaust(email);
    expect(await guess(email, 1)).toEqual(['THROTTLED']);
  });

  it('a hundred takes on as many connections as there are: exactly five get one', async () => {
    const { db } = server.database;
    const hourMs = 3_600_000;
    const limit = { waitsMs: [0, 0, 0, 0, hourMs], forgetMs: 2 * hourMs, isConsecutive: true };
    const bucket = Buffer.from('a bucket of this test alone');
    const takes = Array.from({ length: 100 }, () => db.tx((tx) => takeAttempt(tx, bucket, limit)));
    const numbers = (await Promise.all(takes)).filter((number) => number !== undefined);
    expect(numbers.sort()).toEqual([1, 2, 3, 4, 5]);
  });

  it('that could not be checked do not count, one after the other or all at once', async () => {
    const { db } = server.database;
    const throttle = createThrottle({ db, secret: Buffer.alloc(32, 1) });
    const bucket = throttle.bucketOf.account(newEmail());
    const overloaded = refuse('OVERLOADED', 'too many');
    const attempt = () =>
      throttle.guard([bucket], async () => {
        await sleep(5);
        return { outcome: 'void', result: overloaded };
      });
    for (let i = 0; i < 7; i += 1) expect(await attempt()).toEqual(overloaded);
    await Promise.all(Array.from({ length: 20 }, attempt));
    expect(await attempt()).toEqual(overloaded);
    for (let i = 0; i < 7; i += 1) {
      const broken = throttle.guard([bucket], () => Promise.reject(new Error('no database')));
      await expect(broken).rejects.toThrow('no database');
    }
    expect(await attempt()).toEqual(overloaded);
  });
});

describe('a device token', () => {
  it('keeps its holder from being slowed down, and comes back the same', async () => {
    const email = await customer();
    const deviceToken = await deviceOf(email);
    await exhaust(email);
    const signedIn = await signIn(email, password, { deviceToken });
    expect(signedIn.ok && signedIn.value.deviceToken).toBe(deviceToken);
    // The guesses of others still count.
    expect(reasonOf(await signIn(email, password))).toBe('THROTTLED');
  });

  it('has a count of its own, by the same rule', async () => {
    const email = await customer();
    const deviceToken = await deviceOf(email);
    await exhaust(email, { deviceToken });
    expect(reasonOf(await signIn(email, password, { deviceToken }))).toBe('THROTTLED');
    expect(reasonOf(await signIn(email, password))).toBe('ok');
  });

  it('of another account, changed, or of another key counts as none', async () => {
    const email = await customer();
    const own = await deviceOf(email);
    const foreign = await deviceOf(await customer());
    const changed = own.replace(/.{8}$/, 'AAAAAAAA');
    await exhaust(email);
    for (const deviceToken of [foreign, changed, 'dwd_', `${own}x`, 'x'.repeat(100_000)]) {
      expect(reasonOf(await signIn(email, password, { deviceToken }))).toBe('THROTTLED');
    }
    expect(reasonOf(await signIn(email, password, { deviceToken: own }))).toBe('ok');
  });
});

describe('the counters', () => {
  it('hold no address, and go when they count no longer', async () => {
    const email = await customer();
    await exhaust(email);
    const rows = await server.database.query<{ text: string }>(
      `SELECT encode(bucket, 'escape') AS text FROM attempts`,
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain('example.com');
    await server.database.db.tx(pruneAttempts);
    expect(await guess(email, 1)).toEqual(['THROTTLED']);
    await pass(8_000);
    await server.database.db.tx(pruneAttempts);
    const left = await server.database.query('SELECT 1 FROM attempts WHERE forgotten_at < now()');
    expect(left).toEqual([]);
  });
});
