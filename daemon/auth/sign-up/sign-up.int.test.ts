import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  startAuthServer,
  type Answer,
  type AuthServer,
} from '../../../tests/support/auth/server.ts';
import { codeIn, openMailbox, type Mailbox } from '../../../tests/support/mail/mailbox.ts';
import { AuthServiceService as rpc, Role } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createUserOnHost } from '../index.ts';
import { maxPendingSignUps } from './pending-sign-ups.ts';
import { pruneSignUps } from './store.ts';

const password = 'correct horse battery';
const other = 'another long password';
let mailbox: Mailbox;
let server: AuthServer;
let count = 0;

beforeAll(async () => {
  mailbox = await openMailbox();
  server = await startAuthServer({ mailer: mailbox.mailer });
});

afterAll(async () => {
  await server.stop();
  await mailbox.stop();
});

const newEmail = () => `user${(count += 1)}@example.com`;
const reasonOf = (answer: Answer<unknown>) => (answer.ok ? 'ok' : answer.reason);

const signUp = (email: string, text = password) =>
  server.call(rpc.signUp, { email, password: text });
const verify = (code: string, text = password) =>
  server.call(rpc.verifyEmail, { code, signUpToken: '', password: text });
const signIn = (email: string, text = password) =>
  server.call(rpc.signIn, { email, password: text, client: 'test', deviceToken: '' });
const nextMail = (email: string, known = 0) => mailbox.next(email, '', known);
const mailsTo = (email: string) => mailbox.to(email);

/** Signs up, and gives the code that was mailed. */
async function codeFor(email: string, text = password): Promise<string> {
  const known = mailsTo(email).length;
  expect(reasonOf(await signUp(email, text))).toBe('ok');
  return codeIn(await nextMail(email, known));
}

describe('sign-up by mail', () => {
  it('a sign-up leads from the code to an account that is verified and can sign in', async () => {
    const email = newEmail();
    const code = await codeFor(email.toUpperCase());
    expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){5}$/);
    const verified = await verify(code.toLowerCase().replaceAll('-', ' '));
    expect(verified).toMatchObject({
      ok: true,
      value: { user: { email, role: Role.CUSTOMER, emailVerified: true } },
    });
    expect(await signIn(email)).toMatchObject({ ok: true, value: { user: { email } } });
    expect(reasonOf(await verify(code))).toBe('VERIFICATION_CODE_INVALID');
  });

  it('a sign-up is answered alike for a new, a pending and a registered address', async () => {
    const [fresh, waiting, taken] = [newEmail(), newEmail(), newEmail()];
    await signUp(waiting);
    await verify(await codeFor(taken));
    const answers = [await signUp(fresh), await signUp(waiting), await signUp(taken, other)];
    const shapes = answers.map((answer) =>
      JSON.stringify(answer)
        .replace(/user\d+@example\.com/g, 'EMAIL')
        .replace(/dws_[\w-]{43}/, 'TOKEN'),
    );
    expect(new Set(shapes).size).toBe(1);
    expect(answers[0]).toMatchObject({ ok: true, value: { verificationRequired: true } });
    expect(codeIn(await nextMail(taken, 1))).toBe('');
    expect(await nextMail(taken, 1)).toContain('Subject: You have an account already');
    // The same as for an address without an account.
    expect(reasonOf(await signIn(taken, other))).toBe('EMAIL_UNVERIFIED');
    expect(reasonOf(await signIn(taken))).toBe('ok');
  });

  it('a sign-in before verification reports the pending sign-up only to its password', async () => {
    const email = newEmail();
    const code = await codeFor(email);
    expect(reasonOf(await signIn(email))).toBe('EMAIL_UNVERIFIED');
    expect(await signIn(email, 'wrong')).toEqual(await signIn(newEmail(), 'wrong'));
    expect(reasonOf(await verify(code))).toBe('ok');
    expect(reasonOf(await signIn(email))).toBe('ok');
  });

  it('a repeated sign-up leaves the first password and code as they are', async () => {
    const email = newEmail();
    const first = await codeFor(email);
    await codeFor(email, other);
    expect(reasonOf(await verify(first))).toBe('ok');
    expect(reasonOf(await signIn(email, other))).toBe('CREDENTIALS_INVALID');
    expect(reasonOf(await signIn(email))).toBe('ok');
  });

  it('a fourth sign-up in an hour is answered alike, without mail; a sent code works', async () => {
    const email = newEmail();
    await codeFor(email);
    await codeFor(email);
    const third = await codeFor(email);
    expect(await signUp(email, other)).toMatchObject({
      ok: true,
      value: { verificationRequired: true },
    });
    await codeFor(newEmail());
    expect(mailsTo(email)).toHaveLength(3);
    expect(reasonOf(await verify(third, other))).toBe('ok');
    expect(reasonOf(await signIn(email, other))).toBe('ok');
  });

  it('the number of sign-ups for one address is limited, and the first of them stays', async () => {
    const email = newEmail();
    const code = await codeFor(email);
    const answers = [];
    for (let i = 0; i < maxPendingSignUps + 4; i += 1)
      answers.push(await signUp(email, `${other} ${i}`));
    expect(new Set(answers.map(reasonOf))).toEqual(new Set(['ok']));
    const rows = await server.database.query('SELECT 1 FROM sign_ups WHERE email = $1', [email]);
    expect(rows).toHaveLength(maxPendingSignUps);
    expect(reasonOf(await verify(code))).toBe('ok');
  });

  it('a sign-up code is void after twenty wrong passwords, even with the right one', async () => {
    const email = newEmail();
    const code = await codeFor(email);
    const guesses = await Promise.all(Array.from({ length: 25 }, (_, i) => verify(code, `w ${i}`)));
    expect(new Set(guesses.map(reasonOf))).toEqual(new Set(['VERIFICATION_CODE_INVALID']));
    expect(reasonOf(await verify(code))).toBe('VERIFICATION_CODE_INVALID');
    expect(reasonOf(await verify(await codeFor(email)))).toBe('ok');
  });

  it('a sign-up code alone, or with the token of another address, opens nothing', async () => {
    const [email, another] = [newEmail(), newEmail()];
    const code = await codeFor(email);
    const answer = await signUp(another);
    const signUpToken = answer.ok ? answer.value.signUpToken : '';
    for (const secret of ['', signUpToken]) {
      const request = { code, signUpToken: secret, password: '' };
      expect(reasonOf(await server.call(rpc.verifyEmail, request))).toBe(
        'VERIFICATION_CODE_INVALID',
      );
    }
    expect(reasonOf(await verify(code))).toBe('ok');
  });

  it('a sign-up code works once, however many callers use it at the same time', async () => {
    const code = await codeFor(newEmail());
    const answers = await Promise.all(Array.from({ length: 10 }, () => verify(code)));
    expect(answers.map(reasonOf).filter((reason) => reason === 'ok')).toHaveLength(1);
  });

  it('a sign-up code is void after a day, and is deleted then', async () => {
    const email = newEmail();
    const code = await codeFor(email);
    const aged = `UPDATE sign_ups SET expires_at = expires_at - interval '24 hours' WHERE email = $1`;
    await server.database.query(aged, [email]);
    expect(reasonOf(await verify(code))).toBe('VERIFICATION_CODE_INVALID');
    expect(reasonOf(await signIn(email))).toBe('CREDENTIALS_INVALID');
    await server.database.db.tx((tx) => pruneSignUps(tx, 1_000));
    const rows = await server.database.query('SELECT 1 FROM sign_ups WHERE email = $1', [email]);
    expect(rows).toEqual([]);
  });

  it('a sign-up replaces no account, neither of staff nor an unverified one', async () => {
    const email = newEmail();
    const code = await codeFor(email);
    const account = { email, password: other, role: 'customer' as const };
    expect(await createUserOnHost(server.database.db, account)).toMatchObject({ ok: true });
    expect(reasonOf(await verify(code))).toBe('VERIFICATION_CODE_INVALID');
    await signUp(email);
    expect(await nextMail(email, 1)).toContain('You have an account already');
    expect(reasonOf(await signIn(email, other))).toBe('ok');
    expect(reasonOf(await signIn(email))).toBe('EMAIL_UNVERIFIED');
    const old = newEmail();
    await server.database.query(
      `INSERT INTO users (id, email, password_hash, role, email_verified)
       SELECT gen_random_uuid(), $1, password_hash, role, false FROM users WHERE email = $2`,
      [old, email],
    );
    await signUp(old);
    expect(await nextMail(old)).toContain('You have an account already');
    expect(reasonOf(await signIn(old, other))).toBe('ok');
  });

  it('a sign-up code that ends later than any code can is void', async () => {
    const email = newEmail();
    const code = await codeFor(email);
    const shift = `UPDATE mailed_codes SET expires_at = expires_at + interval '1 hour' WHERE subject = $1`;
    await server.database.query(shift, [email]);
    expect(reasonOf(await verify(code))).toBe('VERIFICATION_CODE_INVALID');
  });

  it('a sign-up stores no code, token or password in clear text', async () => {
    const email = newEmail();
    const answer = await signUp(email);
    const code = codeIn(await nextMail(email));
    const rows = await server.database.query(
      `SELECT to_json(s)::text AS s, to_json(c)::text AS c,
         (SELECT json_agg(m)::text FROM mails m) AS m
       FROM sign_ups s, mailed_codes c WHERE s.email = $1 AND c.subject = $1`,
      [email],
    );
    expect(rows).toHaveLength(1);
    const text = JSON.stringify(rows);
    const signUpToken = answer.ok ? answer.value.signUpToken : '';
    for (const secret of [code, signUpToken, password]) {
      expect(secret.length).toBeGreaterThan(10);
      expect(text).not.toContain(secret);
      expect(text).not.toContain(Buffer.from(secret).toString('hex'));
    }
  });

  it('a sign-up checks address and password before anything else', async () => {
    expect(reasonOf(await signUp('no address'))).toBe('EMAIL_INVALID');
    expect(reasonOf(await signUp(newEmail(), 'short'))).toBe('PASSWORD_INVALID');
  });

  it('a sign-up does not wait for the mail server, which gets the same code again', async () => {
    const email = newEmail();
    mailbox.smtp.refuseWith({ code: 451, text: 'later' });
    expect(reasonOf(await signUp(email))).toBe('ok');
    const tries = `SELECT 1 FROM mails WHERE recipient = $1 AND attempt > 0 AND due_at > clock_timestamp()`;
    while ((await server.database.query(tries, [email])).length === 0);
    mailbox.smtp.refuseWith(undefined);
    await server.database.query('UPDATE mails SET due_at = clock_timestamp()');
    expect(reasonOf(await verify(codeIn(await nextMail(email))))).toBe('ok');
  });
});

describe('closed sign-up', () => {
  it('a closed sign-up is refused before anything is checked', async () => {
    const closed = await startAuthServer({ isSignUpOpen: false, mailer: mailbox.mailer });
    const asked = await closed.call(rpc.signUp, { email: 'no address', password: '' });
    expect(reasonOf(asked)).toBe('SIGN_UP_CLOSED');
    await closed.stop();
  });
});
