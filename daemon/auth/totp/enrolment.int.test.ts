import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  bearerOf,
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../../tests/support/auth/people.ts';
import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import {
  appCode,
  enrol,
  forget,
  password,
  wrongCode,
  type Enrolled,
} from '../../../tests/support/auth/totp.ts';
import { resetTotpOnHost } from '../index.ts';

let server: AuthServer;
const people = createPeople(() => server);
let admin: SignedInUser;

beforeAll(async () => {
  server = await startAuthServer();
  admin = await people.create('admin');
});
afterAll(() => server.stop());

const begin = (bearer: string, text = password) =>
  server.call(rpc.beginTotp, { password: text }, bearer);
const enable = (bearer: string, code: string) => server.call(rpc.enableTotp, { code }, bearer);
const disable = (bearer: string, code: string, text = password) =>
  server.call(rpc.disableTotp, { password: text, code }, bearer);
const regenerate = (bearer: string, code: string, text = password) =>
  server.call(rpc.regenerateRecoveryCodes, { password: text, code }, bearer);
const status = async (bearer: string) => valueOf(await server.call(rpc.getTotpStatus, {}, bearer));
const whoami = async (bearer: string) =>
  reasonOf(await server.call(rpc.getUser, { userId: '' }, bearer));
const signIn = (email: string, totpCode?: string) =>
  server.call(rpc.signIn, {
    ...{ email, password, client: 'test', deviceToken: '' },
    ...(totpCode === undefined ? {} : { totpCode }),
  });
const actionsOn = async (target: string) =>
  (await people.audit(admin, { target })).map(({ action, result }) => `${action} ${result}`);

describe('beginning of enrolment', () => {
  it('beginning enrolment needs the password again, and gives secret and URI', async () => {
    const ana = await people.create('customer');
    expect(await begin(ana.bearer, 'not the password')).toMatchObject({
      reason: 'CREDENTIALS_INVALID',
      metadata: { field: 'password' },
    });
    const { secret, uri, expiresAt } = valueOf(await begin(ana.bearer));
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(new URL(uri).searchParams.get('secret')).toBe(secret);
    expect(decodeURIComponent(new URL(uri).pathname)).toContain(`:${ana.email}`);
    expect(expiresAt?.getTime()).toBeGreaterThan(Date.now());
    expect(await status(ana.bearer)).toMatchObject({ enabled: false, recoveryCodesLeft: 0 });
    expect(reasonOf(await signIn(ana.email))).toBe('ok');
  });

  it('wrong passwords at the beginning of enrolment count against the session', async () => {
    const ana = await people.create('customer');
    for (let n = 0; n < 5; n += 1) {
      expect(reasonOf(await begin(ana.bearer, `wrong ${n}`))).toBe('CREDENTIALS_INVALID');
    }
    await server.database.query(
      `UPDATE attempts SET blocked_until = clock_timestamp() + interval '4 seconds' WHERE count = 5`,
    );
    const refused = await server.call(rpc.beginTotp, { password }, ana.bearer, 1_500);
    expect(reasonOf(refused)).toBe('THROTTLED');
    expect(reasonOf(await signIn(ana.email))).toBe('ok');
  });

  it('beginning enrolment stores the secret encrypted, for its user alone', async () => {
    const [ana, bia] = [await people.create('customer'), await people.create('customer')];
    const { secret } = valueOf(await begin(ana.bearer));
    valueOf(await begin(bia.bearer));
    const rows = await server.database.query<{ secret: Buffer }>('SELECT secret FROM totp_secrets');
    expect(rows.some((row) => row.secret.toString('latin1').includes(secret))).toBe(false);
    const copy = `UPDATE totp_secrets b SET secret = a.secret FROM totp_secrets a
      WHERE a.user_id = $1 AND b.user_id = $2`;
    await server.database.query(copy, [ana.id, bia.id]);
    expect(reasonOf(await enable(bia.bearer, appCode(secret)))).toBe('TOTP_NOT_BEGUN');
  });
});

describe('enabling the second factor', () => {
  it('enabling a second factor needs a first code, from the session that began', async () => {
    const ana = await people.create('operator');
    expect(reasonOf(await enable(ana.bearer, '123456'))).toBe('TOTP_NOT_BEGUN');
    const { secret } = valueOf(await begin(ana.bearer));
    expect(await enable(ana.bearer, wrongCode(secret))).toMatchObject({
      reason: 'TOTP_INVALID',
      metadata: { field: 'code' },
    });
    const second = bearerOf(await people.signIn(ana.email));
    expect(reasonOf(await enable(second, appCode(secret)))).toBe('TOTP_NOT_BEGUN');
    const late = `UPDATE totp_secrets SET begun_at = begun_at - interval '16 minutes' WHERE user_id = $1`;
    await server.database.query(late, [ana.id]);
    expect(reasonOf(await enable(ana.bearer, appCode(secret)))).toBe('TOTP_NOT_BEGUN');
    const { secret: next } = valueOf(await begin(ana.bearer));
    const { recoveryCodes } = valueOf(await enable(ana.bearer, appCode(next)));
    expect(new Set(recoveryCodes).size).toBe(10);
  });

  it('enabling a second factor ends other sessions, refreshes the token, is recorded', async () => {
    const ana = await people.create('operator');
    const second = await people.signIn(ana.email);
    const enrolled = await enrol(server, ana);
    expect(await whoami(bearerOf(second))).toBe('TOKEN_REVOKED');
    const { refreshToken } = second;
    expect(reasonOf(await server.call(rpc.refreshSession, { refreshToken }))).toBe(
      'REFRESH_TOKEN_INVALID',
    );
    expect(await whoami(ana.bearer)).toBe('TOKEN_REVOKED');
    expect(await whoami(enrolled.bearer)).toBe('ok');
    expect(await status(enrolled.bearer)).toMatchObject({ enabled: true, recoveryCodesLeft: 10 });
    const [line] = await people.audit(admin, { target: ana.id, action: 'totp.enable' });
    expect(line).toMatchObject({ actor: ana.id, result: 'ok', details: { revokedSessions: '1' } });
  });

  it('the code that enabled the second factor is used: no sign-in takes it again', async () => {
    const ana = await people.create('customer');
    const { secret } = valueOf(await begin(ana.bearer));
    const code = appCode(secret);
    valueOf(await enable(ana.bearer, code));
    expect(reasonOf(await signIn(ana.email, code))).toBe('TOTP_INVALID');
  });

  it('enabling a second factor is refused if there is one, and the old one stays', async () => {
    const ana = await enrol(server, await people.create('customer'));
    expect(reasonOf(await begin(ana.bearer))).toBe('TOTP_ALREADY_ENABLED');
    expect(reasonOf(await enable(ana.bearer, appCode(ana.secret)))).toBe('TOTP_ALREADY_ENABLED');
    await forget(server, ana);
    expect(reasonOf(await signIn(ana.email, appCode(ana.secret)))).toBe('ok');
  });

  it('enabling a second factor by a session that ended meanwhile does nothing', async () => {
    const ana = await people.create('customer');
    const { secret } = valueOf(await begin(ana.bearer));
    let waiting: Promise<unknown> | undefined;
    await server.database.db.tx(async (tx) => {
      const lock = { name: 'test_lock', text: 'SELECT 1 FROM users WHERE id = $1 FOR UPDATE' };
      await tx.query(lock, [ana.id]);
      waiting = enable(ana.bearer, appCode(secret)).then((answer) => {
        expect(reasonOf(answer)).toBe('TOKEN_REVOKED');
      });
      await people.untilWaiting(1);
      const end = 'UPDATE sessions SET revoked_at = clock_timestamp() WHERE user_id = $1';
      await tx.execute({ name: 'test_end', text: end }, [ana.id]);
    });
    await waiting;
    expect(reasonOf(await signIn(ana.email))).toBe('ok');
  });

  it('a sign-in concurrent with enabling leaves no session without the second factor', async () => {
    for (let round = 0; round < 3; round += 1) {
      const ana = await people.create('customer');
      const { secret } = valueOf(await begin(ana.bearer));
      const [enabled, signedIn] = await Promise.all([
        enable(ana.bearer, appCode(secret)),
        signIn(ana.email),
      ]);
      expect(reasonOf(enabled)).toBe('ok');
      if (signedIn.ok) expect(await whoami(bearerOf(signedIn.value.tokens!))).toBe('TOKEN_REVOKED');
      else expect(signedIn.reason).toBe('TOTP_REQUIRED');
    }
  });
});

describe('disabling the second factor', () => {
  let ana: Enrolled;
  beforeAll(async () => {
    ana = await enrol(server, await people.create('operator'));
    await forget(server, ana);
  });

  it('disabling a second factor needs password and code; only wrong codes count', async () => {
    const wrong = wrongCode(ana.secret);
    for (let n = 0; n < 3; n += 1) {
      const refused = await disable(ana.bearer, wrong, `wrong password ${n}`);
      expect(refused).toMatchObject({ reason: 'CREDENTIALS_INVALID' });
    }
    expect(await disable(ana.bearer, wrong)).toMatchObject({
      reason: 'TOTP_INVALID',
      metadata: { field: 'code' },
    });
    expect(reasonOf(await disable(ana.bearer, ''))).toBe('TOTP_REQUIRED');
    const [line] = await people.audit(admin, { target: ana.id, action: 'totp.failed' });
    expect(line).toMatchObject({ actor: ana.id, details: { failures: '1' } });
  });

  it('disabling a second factor deletes its recovery codes, and ends the other sessions', async () => {
    await forget(server, ana);
    const second = valueOf(await signIn(ana.email, appCode(ana.secret, -1 + 1))).tokens!;
    await forget(server, ana);
    const countCodes = async () => {
      const text = 'SELECT 1 FROM recovery_codes WHERE user_id = $1';
      return (await server.database.query(text, [ana.id])).length;
    };
    expect(await countCodes()).toBe(10);
    expect(valueOf(await disable(ana.bearer, appCode(ana.secret))).revokedSessions).toBe(1);
    expect(await countCodes()).toBe(0);
    expect(await whoami(bearerOf(second))).toBe('TOKEN_REVOKED');
    expect(reasonOf(await signIn(ana.email))).toBe('ok');
    expect(reasonOf(await signIn(ana.email, ana.recoveryCodes[0]))).toBe('ok');
    expect(await actionsOn(ana.id)).toContain('totp.disable ok');
    const { refreshToken } = ana.tokens;
    const { tokens } = valueOf(await server.call(rpc.refreshSession, { refreshToken }));
    expect(reasonOf(await disable(bearerOf(tokens!), '123456'))).toBe('TOTP_NOT_ENABLED');
    expect(reasonOf(await regenerate(bearerOf(tokens!), '123456'))).toBe('TOTP_NOT_ENABLED');
  });
});

describe('new recovery codes', () => {
  it('new recovery codes need the password and a code, and void the old ones', async () => {
    const ana = await enrol(server, await people.create('customer'));
    await forget(server, ana);
    expect(reasonOf(await regenerate(ana.bearer, appCode(ana.secret), 'wrong password'))).toBe(
      'CREDENTIALS_INVALID',
    );
    expect(reasonOf(await regenerate(ana.bearer, wrongCode(ana.secret)))).toBe('TOTP_INVALID');
    const { recoveryCodes } = valueOf(await regenerate(ana.bearer, appCode(ana.secret)));
    expect(recoveryCodes).toHaveLength(10);
    expect(reasonOf(await signIn(ana.email, ana.recoveryCodes[0]))).toBe('TOTP_INVALID');
    expect(valueOf(await signIn(ana.email, recoveryCodes[0])).recoveryCodesLeft).toBe(9);
    expect(await actionsOn(ana.id)).toContain('totp.recovery_codes ok');
  });
});

describe('second-factor reset on the host', () => {
  const reset = (email: string) => resetTotpOnHost(server.database.db, { email });

  it('a reset on the host removes the second factor, ends all sessions, is recorded', async () => {
    const ana = await enrol(server, await people.create('admin'));
    expect(await reset(ana.email.toUpperCase())).toMatchObject({
      ok: true,
      value: { user: { id: ana.id }, revokedSessions: 1 },
    });
    expect(reasonOf(await signIn(ana.email))).toBe('ok');
    const { refreshToken } = ana.tokens;
    expect((await server.call(rpc.refreshSession, { refreshToken })).ok).toBe(false);
    const [line] = await people.audit(admin, { target: ana.id, action: 'totp.reset' });
    expect(line).toMatchObject({ actor: 'host', result: 'ok', details: { revokedSessions: '1' } });
    const left = await server.database.query(
      'SELECT user_id FROM totp_secrets WHERE user_id = $1 UNION ALL SELECT user_id FROM recovery_codes WHERE user_id = $1',
      [ana.id],
    );
    expect(left).toEqual([]);
  });

  it('a reset on the host reports an unknown user and a missing second factor', async () => {
    const refused = async (email: string) => {
      const done = await reset(email);
      return done.ok ? 'ok' : done.rejection.reason;
    };
    expect(await refused('unknown@example.com')).toBe('USER_NOT_FOUND');
    expect(await refused(admin.email)).toBe('TOTP_NOT_ENABLED');
  });
});
