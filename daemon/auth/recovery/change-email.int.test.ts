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
import { createUserOnHost } from '../index.ts';

const password = 'correct horse battery';
const subject = 'Your code for a new e-mail address';
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

const request = ({ bearer }: SignedInUser, newEmail: string, text = password) =>
  server.call(rpc.requestEmailChange, { newEmail, password: text }, bearer);
const confirm = ({ bearer }: SignedInUser, code: string) =>
  server.call(rpc.confirmEmailChange, { code }, bearer);

async function codeFor(owner: SignedInUser, newEmail: string): Promise<string> {
  const known = mailbox.to(newEmail, subject).length;
  expect(await request(owner, newEmail)).toEqual({ ok: true, value: {} });
  return codeIn(await mailbox.next(newEmail, subject, known));
}

describe('change of address', () => {
  it('a new address counts once it is verified, and the old one gets a notice', async () => {
    const owner = await people.create('customer');
    const newEmail = `new.${owner.email}`;
    const code = await codeFor(owner, newEmail.toUpperCase());
    expect(reasonOf(await people.trySignIn(newEmail))).toBe('CREDENTIALS_INVALID');
    expect(await confirm(owner, code)).toMatchObject({
      ok: true,
      value: { user: { id: owner.id, email: newEmail, emailVerified: true } },
    });
    expect(reasonOf(await people.trySignIn(owner.email))).toBe('CREDENTIALS_INVALID');
    expect(reasonOf(await people.trySignIn(newEmail))).toBe('ok');
    const toOld = await mailbox.next(owner.email, 'was changed');
    expect(toOld).not.toContain(newEmail);
    await mailbox.next(newEmail, 'has this e-mail address now');
    const events = await people.audit(admin, { target: owner.id, action: 'email.change' });
    expect(events).toMatchObject([
      { actor: owner.id, details: { previousEmail: owner.email, email: newEmail } },
    ]);
    expect(reasonOf(await confirm(owner, code))).toBe('VERIFICATION_CODE_INVALID');
  });

  it('a change of address needs the password; five wrong guesses are not slowed down', async () => {
    const owner = await people.create('customer');
    for (let i = 0; i < 5; i += 1) {
      expect(reasonOf(await request(owner, 'x@example.net', `wrong ${i}`))).toBe(
        'CREDENTIALS_INVALID',
      );
    }
    await server.database.query(
      `UPDATE attempts SET blocked_until = clock_timestamp() + interval '4 seconds' WHERE count = 5`,
    );
    const asked = { newEmail: 'x@example.net', password };
    const refused = await server.call(rpc.requestEmailChange, asked, owner.bearer, 1_500);
    expect(reasonOf(refused)).toBe('THROTTLED');
    await server.database.query('TRUNCATE attempts');
    expect(mailbox.to('x@example.net')).toEqual([]);
  });

  it('a change to an address with an account is answered alike; its owner gets mail', async () => {
    const [owner, other] = [await people.create('customer'), await people.create('customer')];
    expect(await request(owner, other.email)).toEqual(await request(owner, 'free@example.net'));
    expect(await request(owner, other.email)).toEqual({ ok: true, value: {} });
    expect(codeIn(await mailbox.next(other.email, 'You have an account already'))).toBe('');
  });

  it('a change to an address that was taken meanwhile is refused without an effect', async () => {
    const owner = await people.create('customer');
    const newEmail = `taken.${owner.email}`;
    const code = await codeFor(owner, newEmail);
    const account = { email: newEmail, password, role: 'customer' as const };
    expect(await createUserOnHost(server.database.db, account)).toMatchObject({ ok: true });
    expect(reasonOf(await confirm(owner, code))).toBe('EMAIL_TAKEN');
    expect(reasonOf(await people.trySignIn(owner.email))).toBe('ok');
  });

  it('if two accounts request one address at once, one gets it', async () => {
    const [one, two] = [await people.create('customer'), await people.create('customer')];
    const newEmail = `both.${one.email}`;
    const codes = [await codeFor(one, newEmail), await codeFor(two, newEmail)];
    const answers = await Promise.all([confirm(one, codes[0] ?? ''), confirm(two, codes[1] ?? '')]);
    expect(answers.map(reasonOf).sort()).toEqual(['EMAIL_TAKEN', 'ok']);
  });

  it('a change of address is not confirmed by a code of another user or request', async () => {
    const [owner, other] = [await people.create('customer'), await people.create('customer')];
    const earlier = await codeFor(owner, `first.${owner.email}`);
    const code = await codeFor(owner, `second.${owner.email}`);
    expect(reasonOf(await confirm(other, code))).toBe('VERIFICATION_CODE_INVALID');
    expect(reasonOf(await confirm(owner, earlier))).toBe('VERIFICATION_CODE_INVALID');
    expect(await confirm(owner, code)).toMatchObject({
      value: { user: { email: `second.${owner.email}` } },
    });
  });

  it('ending credentials voids a change of address, and a change voids reset codes', async () => {
    const owner = await people.create('customer');
    const code = await codeFor(owner, 'attacker@example.net');
    const revoked = await server.call(rpc.revokeAllCredentials, { userId: '' }, owner.bearer);
    expect(reasonOf(revoked)).toBe('ok');
    const again = { ...owner, bearer: `Bearer ${(await people.signIn(owner.email)).accessToken}` };
    expect(reasonOf(await confirm(again, code))).toBe('VERIFICATION_CODE_INVALID');
    await server.call(rpc.requestPasswordReset, { email: owner.email });
    const resetCode = codeIn(await mailbox.next(owner.email, 'Your code for a new password'));
    const newEmail = `moved.${owner.email}`;
    expect(reasonOf(await confirm(again, await codeFor(again, newEmail)))).toBe('ok');
    for (const email of [owner.email, newEmail]) {
      const request = { email, code: resetCode, newPassword: 'a new password', keepApiKeys: false };
      expect(reasonOf(await server.call(rpc.resetPassword, request))).toBe(
        'VERIFICATION_CODE_INVALID',
      );
    }
  });

  it('a change to the user’s own address verifies one that was never verified', async () => {
    const owner = await people.create('customer');
    expect(reasonOf(await request(owner, owner.email))).toBe('EMAIL_INVALID');
    const unverify = 'UPDATE users SET email_verified = false WHERE id = $1';
    await server.database.query(unverify, [owner.id]);
    expect(await confirm(owner, await codeFor(owner, owner.email))).toMatchObject({
      value: { user: { email: owner.email, emailVerified: true } },
    });
  });

  it('changes of address are limited: ten an hour for one user, three to one address', async () => {
    const owner = await people.create('customer');
    for (let i = 0; i < 5; i += 1) {
      expect(reasonOf(await request(owner, 'flooded@example.net'))).toBe('ok');
    }
    for (let i = 0; i < 5; i += 1) {
      expect(reasonOf(await request(owner, `flooded${i}@example.net`))).toBe('ok');
    }
    expect(reasonOf(await request(owner, 'flooded9@example.net'))).toBe('THROTTLED');
    while ((await server.database.query('SELECT 1 FROM mails')).length > 0);
    expect(mailbox.to('flooded@example.net').length).toBeLessThanOrEqual(3);
  });
});

describe('ending all credentials of a user', () => {
  const expiresAt = new Date(Date.now() + 86_400_000);
  const key = { name: 'a job', scopes: ['wallets:read'], operations: [], expiresAt };

  it('an admin ends all sessions and keys of a user in one step, and is recorded', async () => {
    const owner = await people.create('customer');
    const { secret } = valueOf(await server.call(rpc.createApiKey, key, owner.bearer));
    const second = await startAuthServer({ database: server.database });
    const useKey = async () =>
      reasonOf(await second.call(rpc.validateToken, { accessToken: secret }));
    expect(await useKey()).toBe('ok');
    const request = { userId: owner.id };
    expect(await server.call(rpc.revokeAllCredentials, request, admin.bearer)).toMatchObject({
      ok: true,
      value: { revokedSessions: 1, revokedApiKeys: 1 },
    });
    expect(reasonOf(await server.call(rpc.getUser, { userId: '' }, owner.bearer))).toBe(
      'TOKEN_REVOKED',
    );
    expect(await useKey()).toBe('TOKEN_REVOKED');
    await second.stop();
    const notice = await mailbox.next(owner.email, 'All sign-ins');
    expect(notice).toContain('From:             the staff');
    const events = await people.audit(admin, {
      action: 'credentials.revoke_all',
      target: owner.id,
    });
    expect(events).toMatchObject([
      { actor: admin.id, details: { revokedSessions: '1', revokedApiKeys: '1' } },
    ]);
  });

  it('only an admin can end the credentials of another user', async () => {
    const [owner, other] = [await people.create('customer'), await people.create('operator')];
    const request = { userId: owner.id };
    const denied = await server.call(rpc.revokeAllCredentials, request, other.bearer);
    expect(reasonOf(denied)).toBe('USER_NOT_FOUND');
    expect(reasonOf(await server.call(rpc.getUser, { userId: '' }, owner.bearer))).toBe('ok');
  });
});
