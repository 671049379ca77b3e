import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { refuse, type Result } from '../../../core/reasons.ts';
import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import { createTransientRejection } from '../../platform/transient-rejection.ts';
import { pruneAttempts, takeAttempt } from './store.ts';
import { createPeople, impatientMs, password, reasonOf, tally } from './test-support.ts';
import { createThrottle } from './throttle.ts';
import { hostCaller } from './fair-caller.ts';

let server: AuthServer;
let people: ReturnType<typeof createPeople>;

beforeAll(async () => {
  server = await startAuthServer();
  people = createPeople(server);
});

afterAll(() => server.stop());

const impatient = { timeoutMs: impatientMs };

/** Blocks every counter for a moment that is longer than an impatient caller waits. */
const block = () =>
  server.database.query(
    `UPDATE attempts SET blocked_until = clock_timestamp() + interval '1400 milliseconds'
     WHERE blocked_until > clock_timestamp() - interval '1 minute' AND count >= 5`,
  );

describe('an attempt', () => {
  it.each([
    ['CANCELLED', 1],
    ['OVERLOADED', 0],
    ['DATABASE_UNAVAILABLE', 0],
  ] as const)('an attempt that ends with %s counts %d', async (reason, counted) => {
    const { db } = server.database;
    const throttle = createThrottle({ db, secret: Buffer.from(reason) });
    const bucket = throttle.bucketOf.session('a session');
    const given = createTransientRejection({ reason, message: '', metadata: {} });
    const work = throttle.guard([bucket], () => Promise.reject(given), { fairCaller: hostCaller });
    await expect(work).rejects.toBe(given);
    const rows = await server.database.query('SELECT count FROM attempts WHERE bucket = $1', [
      bucket.key,
    ]);
    expect((rows[0] as { count: number } | undefined)?.count ?? 0).toBe(counted);
  });
});

describe('guesses at an account', () => {
  it('of a thousand guesses from as many sources few are checked; the owner signs in', async () => {
    const email = await people.customer();
    const deviceToken = await people.deviceOf(email);
    const guesses = Array.from({ length: 1_000 }, (_, i) =>
      people.signIn(email, `wrong password ${i}`, { timeoutMs: 3_000 }),
    );
    const owner = await people.signIn(email, password, { deviceToken });
    const counts = tally(await Promise.all(guesses));
    expect(reasonOf(owner)).toBe('ok');
    // Five at once, and then one in half a second for as long as the thousand wait.
    const checked = counts['CREDENTIALS_INVALID'] ?? 0;
    expect(checked).toBeGreaterThanOrEqual(5);
    expect(checked).toBeLessThanOrEqual(20);
  });

  it('guesses from one network: five without a wait, then waits of 1, 2 and 4 s', async () => {
    await server.database.query('TRUNCATE attempts');
    const email = people.newEmail();
    const source = people.newSource();
    expect(await people.guess(email, 5, { source })).not.toContain('THROTTLED');
    const waits: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      const [row] = await server.database.query<{ seconds: number }>(
        `SELECT round(extract(epoch FROM blocked_until - expires_at) + 86400)::integer AS seconds
         FROM attempts WHERE expires_at > now() + interval '20 hours'`,
      );
      waits.push(row?.seconds ?? 0);
      await people.pass(row?.seconds ?? 0);
      expect(await people.guess(email, 1, { source })).toEqual(['CREDENTIALS_INVALID']);
    }
    expect(waits).toEqual([1, 2, 4, 4, 4]);
    const refused = await people.signIn(email, password, { source, ...impatient });
    if (refused.ok) throw new Error('admitted');
    const { message, metadata } = refused.rejection;
    expect(message).toBe('too many attempts: try again in 4 s');
    expect(metadata).toEqual({ retryAfterSeconds: '4' });
  });

  it('guesses are answered alike whether or not there is such an account', async () => {
    const answers: Result<unknown>[][] = [];
    for (const email of [await people.customer(), people.newEmail(), 'no address']) {
      const source = people.newSource();
      const wrong = await people.signIn(email, 'wrong', { source });
      await people.guess(email, 4, { source });
      await block();
      answers.push([wrong, await people.signIn(email, password, { source, ...impatient })]);
    }
    expect(answers[0]?.map(reasonOf)).toEqual(['CREDENTIALS_INVALID', 'THROTTLED']);
    expect(new Set(answers.map((pair) => JSON.stringify(pair))).size).toBe(1);
  });

  it('guesses in another case or form count against the same account', async () => {
    const email = await people.customer();
    const source = people.newSource();
    await people.guess(email, 2, { source });
    await people.guess(` ${email} `, 2, { source });
    const last = await people.guess(email.toUpperCase(), 1, { source });
    await block();
    last.push(...(await people.guess(email.toUpperCase(), 1, { source, ...impatient })));
    expect(last).toEqual(['CREDENTIALS_INVALID', 'THROTTLED']);
  });

  it('guesses stay counted when the owner signs in, and the owner’s attempt does not', async () => {
    const email = await people.customer();
    const source = people.newSource();
    await people.guess(email, 4, { source });
    expect(reasonOf(await people.signIn(email, password, { source }))).toBe('ok');
    expect(await people.guess(email, 1, { source })).toEqual(['CREDENTIALS_INVALID']);
    await block();
    expect(await people.guess(email, 1, { source, ...impatient })).toEqual(['THROTTLED']);
    await people.pass(25 * 3_600);
    expect(await people.guess(email, 4, { source })).not.toContain('THROTTLED');
  });

  it('of a hundred concurrent attempts exactly five are admitted', async () => {
    const { db } = server.database;
    const hourMs = 3_600_000;
    const limit = { waitsMs: [0, 0, 0, 0, hourMs], forgetMs: 2 * hourMs, isConsecutive: true };
    const bucket = Buffer.from('a bucket of this test alone');
    const takes = Array.from({ length: 100 }, () => db.tx((tx) => takeAttempt(tx, bucket, limit)));
    const numbers = (await Promise.all(takes)).filter((number) => number !== undefined);
    expect(numbers.sort()).toEqual([1, 2, 3, 4, 5]);
  });

  it('attempts that could not be checked do not count, in sequence or concurrently', async () => {
    const { db } = server.database;
    const throttle = createThrottle({ db, secret: Buffer.alloc(32, 1) });
    const bucket = throttle.bucketOf.device(people.newEmail());
    const overloaded = refuse('OVERLOADED', 'too many');
    const options = { fairCaller: hostCaller };
    const attempt = () =>
      throttle.guard(
        [bucket],
        async () => {
          await sleep(5);
          return { outcome: 'void', result: overloaded };
        },
        options,
      );
    for (let i = 0; i < 7; i += 1) expect(await attempt()).toEqual(overloaded);
    await Promise.all(Array.from({ length: 20 }, attempt));
    expect(await attempt()).toEqual(overloaded);
    for (let i = 0; i < 7; i += 1) {
      const broken = throttle.guard(
        [bucket],
        () => Promise.reject(new Error('no database')),
        options,
      );
      await expect(broken).rejects.toThrow('no database');
    }
    expect(await attempt()).toEqual(overloaded);
  });
});

describe('a device token', () => {
  it('a device token keeps its holder from being slowed down, and stays the same', async () => {
    const email = await people.customer();
    const deviceToken = await people.deviceOf(email);
    const source = people.newSource();
    await people.guess(email, 5, { source });
    await block();
    const signedIn = await people.signIn(email, password, { source, deviceToken, ...impatient });
    expect(signedIn.ok && signedIn.value.deviceToken).toBe(deviceToken);
    // The guesses of others still count.
    await block();
    expect(reasonOf(await people.signIn(email, password, { source, ...impatient }))).toBe(
      'THROTTLED',
    );
  });

  it('a device token has its own count of wrong passwords, with the same limit', async () => {
    const email = await people.customer();
    const deviceToken = await people.deviceOf(email);
    await people.guess(email, 5, { deviceToken });
    await block();
    const refused = await people.signIn(email, password, { deviceToken, ...impatient });
    expect(reasonOf(refused)).toBe('THROTTLED');
    expect(reasonOf(await people.signIn(email, password))).toBe('ok');
  });

  it('a device token that is malformed, or of another account or key, counts as none', async () => {
    const email = await people.customer();
    const own = await people.deviceOf(email);
    const foreign = await people.deviceOf(await people.customer());
    // A daemon with another signing key, on the same accounts.
    const other = await startAuthServer({ database: server.database });
    const otherKey = await createPeople(other).deviceOf(email);
    await other.stop();
    const changed = own.replace(/.{8}$/, 'AAAAAAAA');
    const source = people.newSource();
    await people.guess(email, 5, { source });
    const malformed = ['dwd_', `${own}x`, 'x'.repeat(100_000)];
    for (const deviceToken of [foreign, otherKey, changed, ...malformed]) {
      await block();
      const refused = await people.signIn(email, password, { source, deviceToken, ...impatient });
      expect(reasonOf(refused)).toBe('THROTTLED');
    }
    expect(reasonOf(await people.signIn(email, password, { source, deviceToken: own }))).toBe('ok');
  });
});

describe('right passwords', () => {
  it('forty concurrent right passwords from one network are all accepted', async () => {
    const email = await people.customer();
    const source = people.newSource();
    const signIns = Array.from({ length: 40 }, () => people.signIn(email, password, { source }));
    expect(tally(await Promise.all(signIns))).toEqual({ ok: 40 });
  });

  it('right passwords past three hundred an hour count like wrong ones, but succeed', async () => {
    const email = await people.customer();
    const deviceToken = await people.deviceOf(email);
    await people.signIn(email, password, { deviceToken });
    // The one row that counts right passwords of an account is at 2 by now.
    await server.database.query(
      `UPDATE attempts SET count = 300, blocked_until = expires_at WHERE count = 2
         AND expires_at BETWEEN now() + interval '59 minutes' AND now() + interval '61 minutes'`,
    );
    for (let i = 0; i < 5; i += 1) {
      expect(reasonOf(await people.signIn(email, password, { deviceToken }))).toBe('ok');
    }
    await block();
    const refused = await people.signIn(email, password, { deviceToken, ...impatient });
    expect(reasonOf(refused)).toBe('THROTTLED');
    expect(reasonOf(await people.signIn(email, password, { deviceToken }))).toBe('ok');
  });
});

describe('attempt counters', () => {
  it('attempt counters hold no address, and are deleted when they no longer count', async () => {
    const email = await people.customer();
    await people.guess(email, 5);
    const rows = await server.database.query<{ text: string }>(
      `SELECT encode(bucket, 'escape') AS text FROM attempts`,
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain('example.com');
    await server.database.db.tx((tx) => pruneAttempts(tx, 1_000));
    const [kept] = await server.database.query<{ count: number }>(
      'SELECT count(*)::integer AS count FROM attempts',
    );
    expect(kept?.count).toBeGreaterThan(0);
    await people.pass(26 * 3_600);
    await server.database.db.tx((tx) => pruneAttempts(tx, 1_000));
    const left = await server.database.query('SELECT 1 FROM attempts WHERE expires_at < now()');
    expect(left).toEqual([]);
  });

  it.each([['1 day'], ['10 minutes'], ['100 years']])(
    'attempt counters written by a clock that has since gone back by %s block no attempt',
    async (step) => {
      const email = await people.customer();
      const source = people.newSource();
      await people.guess(email, 5, { source });
      await server.database.query(
        `UPDATE attempts SET blocked_until = blocked_until + $1::interval,
           expires_at = expires_at + $1::interval`,
        [step],
      );
      const signedIn = await people.signIn(email, password, { source, ...impatient });
      expect(reasonOf(signedIn)).toBe('ok');
    },
  );
});
