import { createHash, randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthServiceService as rpc, Role } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createBrowsers } from '../../../tests/support/auth/browser.ts';
import {
  bearerOf,
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../../tests/support/auth/people.ts';
import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import { appCode, enrol, forget } from '../../../tests/support/auth/totp.ts';

let server: AuthServer;
let admin: SignedInUser;
const people = createPeople(() => server);
const { trySignIn, open, exchange, bearerFor } = createBrowsers(() => server);

beforeAll(async () => {
  server = await startAuthServer();
  admin = await people.create('admin');
});
afterAll(() => server.stop());

const get = async (bearer: string) =>
  reasonOf(await server.call(rpc.getUser, { userId: '' }, bearer));
const query = <T extends object>(text: string, values: unknown[]) =>
  server.database.query<T>(text, values);

describe('opening a browser session', () => {
  it('a browser sign-in gives a browser token, and no access or refresh token', async () => {
    const ana = await people.create('customer');
    const { signedIn, token } = await open(ana.email);
    expect(token).toMatch(/^dws_[\w-]{43}$/);
    expect(signedIn.tokens).toMatchObject({ accessToken: '', refreshToken: '' });
    expect(signedIn.tokens?.accessTokenExpiresAt).toBeUndefined();
    expect(signedIn.user?.id).toBe(ana.id);
    const [row] = await query<{ stored: string; refreshes: number }>(
      `SELECT encode(browser_token_hash, 'hex') AS stored, (SELECT count(*)::int
         FROM refresh_tokens t WHERE t.session_id = s.id) AS refreshes
       FROM sessions s WHERE s.id = $1`,
      [signedIn.tokens?.sessionId],
    );
    const hash = createHash('sha256').update(token).digest('hex');
    expect(row).toEqual({ stored: hash, refreshes: 0 });
  });

  it('a sign-in without the field browser gives no browser token', async () => {
    const ana = await people.create('customer');
    const signedIn = valueOf(await trySignIn(ana.email, { browser: false }));
    expect(signedIn.browserToken).toBeUndefined();
    expect(signedIn.tokens?.refreshToken).not.toBe('');
  });

  it('each browser sign-in has a token of its own, and the earlier one stays valid', async () => {
    const ana = await people.create('customer');
    const [one, two] = [await open(ana.email), await open(ana.email)];
    expect(one.token).not.toBe(two.token);
    expect(one.sessionId).not.toBe(two.sessionId);
    for (const { token, sessionId } of [one, two]) {
      expect(valueOf(await exchange(token)).tokens?.sessionId).toBe(sessionId);
    }
  });

  it('a browser sign-in is refused with a wrong password, and opens no session', async () => {
    const ana = await people.create('customer');
    expect(reasonOf(await trySignIn(ana.email, { password: 'another one' }))).toBe(
      'CREDENTIALS_INVALID',
    );
    const rows = await query('SELECT 1 FROM sessions WHERE user_id = $1', [ana.id]);
    expect(rows).toHaveLength(1);
  });

  it('a browser sign-in of a user with a second factor needs the code as any other', async () => {
    const otto = await enrol(server, await people.create('operator'));
    await forget(server, otto);
    expect(await trySignIn(otto.email)).toMatchObject({ reason: 'TOTP_REQUIRED' });
    const opened = await open(otto.email, { totpCode: appCode(otto.secret) });
    expect(await get(await bearerFor(opened))).toBe('ok');
  });

  it('a browser sign-in is in the audit log with its kind, and without its token', async () => {
    const ana = await people.create('customer');
    const { token, sessionId } = await open(ana.email);
    const [line] = await people.audit(admin, { target: ana.id, action: 'sign_in' });
    expect(line?.details).toMatchObject({ sessionId, kind: 'browser' });
    const log = await query<{ line: string }>('SELECT l::text AS line FROM audit_log l', []);
    expect(log.map((row) => row.line).join('\n')).not.toContain(token);
  });
});

describe('exchanging a browser token', () => {
  it('an exchange gives an access token of 15 minutes, and the same browser token works again', async () => {
    const ana = await people.create('customer');
    const { token, sessionId } = await open(ana.email);
    for (let i = 0; i < 3; i += 1) {
      const { tokens, user, totpEnrolmentRequired } = valueOf(await exchange(token));
      expect(user).toMatchObject({ id: ana.id, role: Role.CUSTOMER });
      expect(tokens).toMatchObject({ sessionId, refreshToken: '' });
      expect(totpEnrolmentRequired).toBe(false);
      const bearer = bearerOf(tokens!);
      const claims = JSON.parse(
        Buffer.from(bearer.split('.')[1] ?? '', 'base64url').toString(),
      ) as Record<string, number>;
      expect(claims['exp']! - claims['iat']!).toBeLessThanOrEqual(900);
      expect(await get(bearer)).toBe('ok');
    }
  });

  it.each([
    ['nothing', () => ''],
    ['the prefix alone', () => 'dws_'],
    ['an unknown token', () => `dws_${randomBytes(32).toString('base64url')}`],
    ['a text of another form', () => randomBytes(32).toString('base64url')],
    ['NUL and half a surrogate pair', () => `dws_${'\0\ud83d'.padEnd(43, 'x')}`],
    ['a hundred thousand characters', () => `dws_${'x'.repeat(100_000)}`],
  ])('an exchange of %s is refused with TOKEN_INVALID', async (_what, text) => {
    const refusal = { code: 16, reason: 'TOKEN_INVALID', metadata: { field: 'browser_token' } };
    expect(await exchange(text())).toMatchObject(refusal);
  });

  it('a refusal does not repeat the token', async () => {
    const token = `dws_${randomBytes(32).toString('base64url')}`;
    expect(JSON.stringify(await exchange(token))).not.toContain(token.slice(0, 12));
  });

  it('an access token, a refresh token and an API key cannot be exchanged', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000);
    const key = { name: 'job', scopes: ['users:read'], operations: [], expiresAt };
    const { secret } = valueOf(await server.call(rpc.createApiKey, key, admin.bearer));
    const { accessToken, refreshToken } = admin.tokens;
    for (const credential of [accessToken, refreshToken, secret]) {
      expect(reasonOf(await exchange(credential))).toBe('TOKEN_INVALID');
    }
    const { token } = await open((await people.create('customer')).email);
    for (const authorization of [undefined, admin.bearer, `Bearer ${secret}`, `Bearer ${token}`]) {
      const answer = await server.call(rpc.exchangeSession, { browserToken: token }, authorization);
      expect(['CREDENTIALS_MISSING', 'PERMISSION_DENIED', 'TOKEN_INVALID']).toContain(
        reasonOf(answer),
      );
    }
  });

  it('a browser token is refused where an access token or a refresh token is expected', async () => {
    const { token } = await open((await people.create('customer')).email);
    const refusals = [
      await server.call(rpc.getUser, { userId: '' }, `Bearer ${token}`),
      await server.call(rpc.getUser, { userId: '' }, `Service ${token}`),
      await server.call(rpc.validateToken, { accessToken: token }),
      await server.call(rpc.refreshSession, { refreshToken: token }),
    ];
    expect(refusals.map(reasonOf)).toEqual(Array(4).fill('TOKEN_INVALID'));
    expect(reasonOf(await exchange(token))).toBe('ok');
  });

  it('a flood of unknown tokens from one network does not keep out another network', async () => {
    const { token } = await open((await people.create('customer')).email);
    const order: string[] = [];
    const flood = Array.from({ length: 700 }, async (_, i) => {
      const browserToken = `dws_${i.toString().padStart(43, '0')}`;
      const answer = await server.callFrom('203.0.113.1', rpc.exchangeSession, { browserToken });
      order.push('flood');
      return answer.ok ? 'ok' : answer.rejection.reason;
    });
    const request = { browserToken: token };
    const exchanged = server
      .callFrom('198.51.100.1', rpc.exchangeSession, request)
      .finally(() => order.push('other'));
    expect((await exchanged).ok).toBe(true);
    const reasons = await Promise.all(flood);
    expect(order.at(-1)).toBe('flood');
    expect(new Set(reasons)).toEqual(new Set(['TOKEN_INVALID', 'OVERLOADED']));
  });
});
