import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startAuthServer, type AuthServer } from '../../tests/support/auth-server.ts';
import { AuthServiceService as rpc } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { refuse, type Result } from '../../core/reasons.ts';
import { pruneAttempts } from './throttle-store.ts';
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
    expect(reasonOf(await signIn(email, password))).toBe('THROTTLED');
  });

  it('five are free, then the wait doubles up to five minutes, and is told', async () => {
    const email = await customer();
    expect(await guess(email, 6)).toEqual([
      ...Array<string>(5).fill('CREDENTIALS_INVALID'),
      'THROTTLED',
    ]);
    const waits: number[] = [];
    for (let i = 0; i < 11; i += 1) {
      const refused = await signIn(email, password);
      if (refused.ok) throw new Error('let in');
      waits.push(Number(refused.rejection.metadata['retryAfterSeconds']));
      await pass(waits.at(-1) ?? 0);
      await signIn(email, 'wrong once more');
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });

  it('are answered alike whether or not there is such an account', async () => {
    const known = await customer();
    const unknown = newEmail();
    const answers = [];
    for (const email of [known, unknown, 'no address']) {
      await guess(email, 4);
      answers.push([await signIn(email, 'wrong'), await signIn(email, password)]);
    }
    expect(answers[0]?.map(reasonOf)).toEqual(['CREDENTIALS_INVALID', 'THROTTLED']);
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });

  it('in another case or form count against the same account', async () => {
    const email = await customer();
    await guess(email, 2);
    await guess(email.toUpperCase(), 3);
    expect(await guess(` ${email} `, 1)).toEqual(['THROTTLED']);
  });

  it('are forgotten after a success, and after an hour', async () => {
    const email = await customer();
    await guess(email, 4);
    expect(reasonOf(await signIn(email, password))).toBe('ok');
    expect(await guess(email, 5)).not.toContain('THROTTLED');
    await pass(3_601);
    expect(await guess(email, 5)).not.toContain('THROTTLED');
    expect(await guess(email, 1)).toEqual(['THROTTLED']);
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
    await guess(email, 6);
    const signedIn = await signIn(email, password, { deviceToken });
    expect(signedIn.ok && signedIn.value.deviceToken).toBe(deviceToken);
    // The guesses of others still count.
    expect(reasonOf(await signIn(email, password))).toBe('THROTTLED');
  });

  it('has a count of its own, by the same rule', async () => {
    const email = await customer();
    const deviceToken = await deviceOf(email);
    expect(await guess(email, 6, { deviceToken })).toEqual([
      ...Array<string>(5).fill('CREDENTIALS_INVALID'),
      'THROTTLED',
    ]);
    expect(reasonOf(await signIn(email, password, { deviceToken }))).toBe('THROTTLED');
    expect(reasonOf(await signIn(email, password))).toBe('ok');
  });

  it('of another account, changed, or of another key counts as none', async () => {
    const email = await customer();
    const own = await deviceOf(email);
    const foreign = await deviceOf(await customer());
    const changed = own.replace(/.{8}$/, 'AAAAAAAA');
    await guess(email, 5);
    for (const deviceToken of [foreign, changed, 'dwd_', `${own}x`, 'x'.repeat(100_000)]) {
      expect(reasonOf(await signIn(email, password, { deviceToken }))).toBe('THROTTLED');
    }
    expect(reasonOf(await signIn(email, password, { deviceToken: own }))).toBe('ok');
  });
});

describe('a source', () => {
  const fail = async (source: string, times: number) => {
    const sql = `UPDATE attempts SET count = $2 WHERE count = 1 AND forgotten_at > clock_timestamp()
       AND forgotten_at < clock_timestamp() + interval '11 minutes' AND bucket = ANY($1)`;
    const before = await server.database.query<{ bucket: Buffer }>('SELECT bucket FROM attempts');
    expect(reasonOf(await signIn(newEmail(), 'wrong', { source }))).toBe('CREDENTIALS_INVALID');
    const known = new Set(before.map(({ bucket }) => bucket.toString('hex')));
    const after = await server.database.query<{ bucket: Buffer }>('SELECT bucket FROM attempts');
    const fresh = after.map(({ bucket }) => bucket).filter((b) => !known.has(b.toString('hex')));
    await server.database.query(sql, [fresh, times]);
  };

  it('is refused after a hundred failures, whatever accounts they were at', async () => {
    const source = newSource();
    const email = await customer();
    const deviceToken = await deviceOf(email);
    await fail(source, 98);
    expect(reasonOf(await signIn(email, password, { source }))).toBe('ok');
    expect(reasonOf(await signIn(newEmail(), 'wrong', { source }))).toBe('CREDENTIALS_INVALID');
    expect(reasonOf(await signIn(email, password, { source }))).toBe('ok');
    expect(reasonOf(await signIn(newEmail(), 'wrong', { source }))).toBe('CREDENTIALS_INVALID');
    const refused = await signIn(email, password, { source });
    expect(reasonOf(refused)).toBe('THROTTLED');
    // Neither who is elsewhere, nor who has a device token, pays for it.
    expect(reasonOf(await signIn(email, password))).toBe('ok');
    expect(reasonOf(await signIn(email, password, { source, deviceToken }))).toBe('ok');
    await pass(601);
    expect(reasonOf(await signIn(email, password, { source }))).toBe('ok');
  });

  it('a refusal for the account’s sake does not count against it', async () => {
    const email = await customer();
    await guess(email, 5);
    const source = newSource();
    await fail(source, 99);
    expect(reasonOf(await signIn(email, password, { source }))).toBe('THROTTLED');
    expect(reasonOf(await signIn(await customer(), password, { source }))).toBe('ok');
  });

  it('in IPv6 is a network of 64 bits', async () => {
    await fail('2001:db8:1:2::1', 99);
    await signIn(newEmail(), 'wrong', { source: '2001:db8:1:2:ffff::9' });
    expect(await guess(newEmail(), 1, { source: '2001:db8:1:2:3:4:5:6' })).toEqual(['THROTTLED']);
    expect(await guess(newEmail(), 1, { source: '2001:db8:1:3::1' })).toEqual([
      'CREDENTIALS_INVALID',
    ]);
  });

  it('signs up a hundred times an hour, and this host as often as it likes without mail', async () => {
    const bad = { email: newEmail(), password: 'short' };
    const source = newSource();
    for (let i = 0; i < 3; i += 1) await server.callFrom(source, rpc.signUp, bad);
    const results: Result<unknown>[] = [];
    for (let i = 0; i < 101; i += 1) {
      results.push(await server.callFrom(source, rpc.signUp, { email: newEmail(), password }));
    }
    expect(tally(results)).toEqual({ ok: 100, THROTTLED: 1 });
    for (let i = 0; i < 101; i += 1) {
      const signedUp = await server.callFrom('::1', rpc.signUp, { email: newEmail(), password });
      expect(reasonOf(signedUp)).toBe('ok');
    }
  });

  it('tries codes a hundred times in ten minutes', async () => {
    const source = newSource();
    const results: Result<unknown>[] = [];
    for (let i = 0; i < 101; i += 1) {
      results.push(await server.callFrom(source, rpc.verifyEmail, { code: `code ${i}` }));
    }
    expect(tally(results)).toEqual({ VERIFICATION_CODE_INVALID: 100, THROTTLED: 1 });
  });
});

describe('the counters', () => {
  it('hold no address, and go when they count no longer', async () => {
    const email = await customer();
    await guess(email, 6);
    const rows = await server.database.query<{ text: string }>(
      `SELECT encode(bucket, 'escape') AS text FROM attempts`,
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain('example.com');
    await server.database.db.tx(pruneAttempts);
    expect(await guess(email, 1)).toEqual(['THROTTLED']);
    await pass(4_000);
    await server.database.db.tx(pruneAttempts);
    const left = await server.database.query('SELECT 1 FROM attempts WHERE forgotten_at < now()');
    expect(left).toEqual([]);
  });
});
