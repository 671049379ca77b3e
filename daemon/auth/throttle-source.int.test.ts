import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startAuthServer, type AuthServer } from '../../tests/support/auth-server.ts';
import { AuthServiceService as rpc } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Result } from '../../core/reasons.ts';

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
    await exhaust(email);
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
      results.push(
        await server.callFrom(source, rpc.verifyEmail, {
          code: `code ${i}`,
          signUpToken: '',
          password,
        }),
      );
    }
    expect(tally(results)).toEqual({ VERIFICATION_CODE_INVALID: 100, THROTTLED: 1 });
  });
});
