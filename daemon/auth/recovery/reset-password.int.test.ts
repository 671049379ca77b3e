import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import {
  createPeople,
  reasonOf,
  valueOf,
  type SignedInUser,
} from '../../../tests/support/auth/people.ts';
import { codeIn, openMailbox, type Mailbox } from '../../../tests/support/mail/mailbox.ts';
import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';

const password = 'correct horse battery';
const newPassword = 'another long password';
const subject = 'Your code for a new password';
let mailbox: Mailbox;
let server: AuthServer;
let admin: SignedInUser;
const people = createPeople(() => server);

beforeAll(async () => {
  mailbox = await openMailbox();
  server = await startAuthServer({ mailer: mailbox.mailer });
  admin = await people.create('admin');
});

afterAll(async () => {
  await server.stop();
  await mailbox.stop();
});

const request = (email: string) => server.call(rpc.requestPasswordReset, { email });
const reset = (email: string, code: string, more: object = {}) =>
  server.call(rpc.resetPassword, { email, code, newPassword, keepApiKeys: false, ...more });

async function codeFor(email: string): Promise<string> {
  const known = mailbox.to(email, subject).length;
  expect(await request(email)).toEqual({ ok: true, value: {} });
  return codeIn(await mailbox.next(email, subject, known));
}

async function keyOf({ bearer }: SignedInUser): Promise<string> {
  const expiresAt = new Date(Date.now() + 86_400_000);
  const key = { name: 'a job', scopes: ['wallets:read'], operations: [], expiresAt };
  return valueOf(await server.call(rpc.createApiKey, key, bearer)).secret;
}
const useKey = async (accessToken: string) =>
  reasonOf(await server.call(rpc.validateToken, { accessToken }));

/** All mails that were queued so far have been sent. */
async function untilSent(): Promise<void> {
  while ((await server.database.query('SELECT 1 FROM mails')).length > 0);
}

describe('password reset by mail', () => {
  it('a reset by mail replaces the password, ends sessions and keys, sends a notice', async () => {
    const owner = await people.create('operator');
    const key = await keyOf(owner);
    const code = await codeFor(owner.email.toUpperCase());
    const { refreshToken } = owner.tokens;
    expect(await reset(` ${owner.email}`, code.toLowerCase())).toMatchObject({
      ok: true,
      value: { revokedSessions: 1, revokedApiKeys: 1, keptApiKeys: 0 },
    });
    const get = () => server.call(rpc.getUser, { userId: '' }, owner.bearer);
    expect(reasonOf(await get())).toBe('TOKEN_REVOKED');
    expect(reasonOf(await server.call(rpc.refreshSession, { refreshToken }))).toBe(
      'REFRESH_TOKEN_INVALID',
    );
    expect(await useKey(key)).toBe('TOKEN_REVOKED');
    expect(reasonOf(await people.trySignIn(owner.email, password))).toBe('CREDENTIALS_INVALID');
    expect(reasonOf(await people.trySignIn(owner.email, newPassword))).toBe('ok');
    const notice = await mailbox.next(owner.email, 'was reset');
    expect(notice).toContain('API keys ended:   1');
    const events = await people.audit(admin, { target: owner.id, action: 'password.reset' });
    expect(events).toMatchObject([
      { actor: 'anonymous', details: { revokedSessions: '1', revokedApiKeys: '1' } },
    ]);
  });

  it('a reset by mail keeps API keys if that is requested, and reports their number', async () => {
    const owner = await people.create('customer');
    const key = await keyOf(owner);
    const done = await reset(owner.email, await codeFor(owner.email), { keepApiKeys: true });
    expect(done).toMatchObject({ ok: true, value: { revokedApiKeys: 0, keptApiKeys: 1 } });
    expect(await useKey(key)).toBe('ok');
  });

  it('a device token of a reset by mail passes the throttle, and earlier ones do not', async () => {
    const owner = await people.create('customer');
    const { deviceToken: earlier } = valueOf(await people.trySignIn(owner.email));
    const { deviceToken } = valueOf(await reset(owner.email, await codeFor(owner.email)));
    for (let i = 0; i < 5; i += 1) await people.trySignIn(owner.email, `wrong ${i}`);
    await server.database.query(
      `UPDATE attempts SET blocked_until = clock_timestamp() + interval '4 seconds' WHERE count >= 5`,
    );
    const signIn = (token: string) =>
      server.call(
        rpc.signIn,
        { email: owner.email, password: newPassword, client: '', deviceToken: token },
        undefined,
        1_500,
      );
    expect(reasonOf(await signIn(earlier))).toBe('THROTTLED');
    expect(reasonOf(await signIn(deviceToken))).toBe('ok');
    await server.database.query('TRUNCATE attempts');
  });

  it('a reset by mail is answered alike for unknown and disabled users, without mail', async () => {
    const owner = await people.create('customer');
    const disabled = await people.create('customer');
    const update = { userId: disabled.id, disabled: true };
    expect(reasonOf(await server.call(rpc.updateUser, update, admin.bearer))).toBe('ok');
    const stranger = 'stranger@example.org';
    const answers = [];
    for (const email of [stranger, disabled.email, owner.email]) answers.push(await request(email));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    await mailbox.next(owner.email, subject);
    await untilSent();
    expect(mailbox.to(stranger)).toEqual([]);
    expect(mailbox.to(disabled.email, subject)).toEqual([]);
    const wrong = [];
    for (const email of [stranger, disabled.email, owner.email])
      wrong.push(await reset(email, '7K3M-Q9XD-4T2N-8WPC-J5VH-6RBE'));
    expect(new Set(wrong.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(wrong.map(reasonOf)[0]).toBe('VERIFICATION_CODE_INVALID');
  });

  it('a reset by mail needs its own code and a good password; refusals keep the code', async () => {
    const [owner, other] = [await people.create('customer'), await people.create('customer')];
    const code = await codeFor(owner.email);
    expect(reasonOf(await reset(other.email, code))).toBe('VERIFICATION_CODE_INVALID');
    expect(reasonOf(await reset(owner.email, code, { newPassword: 'short' }))).toBe(
      'PASSWORD_INVALID',
    );
    expect(reasonOf(await reset(owner.email, code))).toBe('ok');
    expect(reasonOf(await people.trySignIn(other.email, password))).toBe('ok');
  });

  it('ten concurrent resets by mail with one code succeed once', async () => {
    const owner = await people.create('customer');
    const code = await codeFor(owner.email);
    const answers = await Promise.all(Array.from({ length: 10 }, () => reset(owner.email, code)));
    expect(answers.filter((answer) => answer.ok)).toHaveLength(1);
    expect(new Set(answers.map(reasonOf))).toEqual(new Set(['ok', 'VERIFICATION_CODE_INVALID']));
  });

  it('two concurrent resets with two codes succeed once: the first voids the other', async () => {
    const owner = await people.create('customer');
    const codes = [await codeFor(owner.email), await codeFor(owner.email)];
    const answers = await Promise.all(codes.map((code) => reset(owner.email, code)));
    expect(answers.map(reasonOf).sort()).toEqual(['VERIFICATION_CODE_INVALID', 'ok']);
  });

  it('reset requests of other callers neither void a code nor send over three mails', async () => {
    const owner = await people.create('customer');
    const code = await codeFor(owner.email);
    for (let i = 0; i < 6; i += 1) expect(reasonOf(await request(owner.email))).toBe('ok');
    await untilSent();
    expect(mailbox.to(owner.email, subject)).toHaveLength(3);
    expect(reasonOf(await reset(owner.email, code))).toBe('ok');
  });

  it.each([
    ['has expired', `- interval '30 minutes'`],
    ['ends later than it can', `+ interval '5 minutes'`],
  ])('a reset code that %s is refused', async (_name, shift) => {
    const owner = await people.create('customer');
    const code = await codeFor(owner.email);
    const move = `UPDATE mailed_codes SET expires_at = expires_at ${shift} WHERE subject = $1`;
    await server.database.query(move, [owner.email]);
    expect(reasonOf(await reset(owner.email, code))).toBe('VERIFICATION_CODE_INVALID');
    expect(reasonOf(await people.trySignIn(owner.email, password))).toBe('ok');
  });

  it('a reset code is void after a change of password that ends other sessions', async () => {
    const owner = await people.create('customer');
    const code = await codeFor(owner.email);
    const change = {
      ...{ oldPassword: password, newPassword: 'yet another password' },
      ...{ revokeOtherSessions: true, revokeApiKeys: false },
    };
    expect(reasonOf(await server.call(rpc.changePassword, change, owner.bearer))).toBe('ok');
    expect(reasonOf(await reset(owner.email, code))).toBe('VERIFICATION_CODE_INVALID');
  });

  it('a reset by mail of a disabled account is refused, and keeps its password', async () => {
    const owner = await people.create('customer');
    const code = await codeFor(owner.email);
    const update = (disabled: boolean) =>
      server.call(rpc.updateUser, { userId: owner.id, disabled }, admin.bearer);
    await update(true);
    expect(reasonOf(await reset(owner.email, code))).toBe('VERIFICATION_CODE_INVALID');
    await update(false);
    expect(reasonOf(await people.trySignIn(owner.email, password))).toBe('ok');
  });

  it('a reset by mail verifies an unverified address, and revokes its account’s keys', async () => {
    const squatted = await people.create('customer');
    const unverify = 'UPDATE users SET email_verified = false WHERE id = $1';
    await server.database.query(unverify, [squatted.id]);
    const key = await keyOf(squatted);
    expect(reasonOf(await reset(squatted.email, await codeFor(squatted.email)))).toBe('ok');
    expect(await useKey(key)).toBe('TOKEN_REVOKED');
    expect(await people.trySignIn(squatted.email, newPassword)).toMatchObject({
      ok: true,
      value: { user: { emailVerified: true } },
    });
  });

  it('one network may request a hundred password resets an hour', async () => {
    const source = '203.0.113.77';
    const ask = (n: number) =>
      server.callFrom(source, rpc.requestPasswordReset, { email: `flood${n}@example.net` });
    const reasons = new Map<string, number>();
    for (let n = 0; n < 101; n += 1) {
      const result = await ask(n);
      const reason = result.ok ? 'ok' : result.rejection.reason;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    expect([...reasons]).toEqual([
      ['ok', 100],
      ['THROTTLED', 1],
    ]);
  });
});

describe('mail switched off', () => {
  it('without a mailer, a reset by mail is refused, and the message says what to do', async () => {
    const dumb = await startAuthServer();
    const code = '7K3M-Q9XD-4T2N-8WPC-J5VH-6RBE';
    const answers = [
      await dumb.call(rpc.requestPasswordReset, { email: 'ana@example.com' }),
      await dumb.call(rpc.resetPassword, {
        ...{ email: 'ana@example.com', code, newPassword, keepApiKeys: false },
      }),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({
        reason: 'MAIL_NOT_CONFIGURED',
        message: 'this server sends no mail (SMTP_URL): passwords are reset on its host',
      });
    }
    await dumb.stop();
  });
});
