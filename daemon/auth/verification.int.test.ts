import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startAuthServer, type Answer, type AuthServer } from '../../tests/support/auth-server.ts';
import {
  createCertificate,
  startSmtpServer,
  type TestSmtpServer,
} from '../../tests/support/smtp.ts';
import { AuthServiceService as rpc, Role } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createMailer, type Mailer } from '../platform/mail.ts';
import { createUserOnHost } from './index.ts';
import { pruneSignUps } from './verification-store.ts';

const password = 'correct horse battery';
const other = 'another long password';
let smtp: TestSmtpServer;
let mailer: Mailer;
let server: AuthServer;
let count = 0;

beforeAll(async () => {
  const certificate = createCertificate();
  smtp = await startSmtpServer(certificate);
  const url = `smtp://localhost:${smtp.port}?starttls=required`;
  mailer = createMailer({ url, from: 'wallet@example.com', ca: certificate.cert });
  server = await startAuthServer({ mailer });
});

afterAll(async () => {
  await server.stop();
  await mailer.stop();
  await smtp.stop();
});

const newEmail = () => `user${(count += 1)}@example.com`;
const reasonOf = (answer: Answer<unknown>) => (answer.ok ? 'ok' : answer.reason);

const signUp = (email: string, text = password) =>
  server.call(rpc.signUp, { email, password: text });
const verify = (code: string) => server.call(rpc.verifyEmail, { code });
const signIn = (email: string, text = password) =>
  server.call(rpc.signIn, { email, password: text, client: 'test', deviceToken: '' });

const mailsTo = (email: string) => smtp.mails.filter(({ to }) => to.includes(email.toLowerCase()));

/** What the next mail to an address says, once it has come. */
async function nextMail(email: string, known = 0): Promise<string> {
  for (;;) {
    const mail = mailsTo(email)[known];
    if (mail) return mail.raw;
    await smtp.waitFor(smtp.mails.length + 1);
  }
}

const codeIn = (raw: string) => /verify-email ([0-9A-Z-]{29})\r\n/.exec(raw)?.[1] ?? '';

/** Signs up, and gives the code that was mailed. */
async function codeFor(email: string, text = password): Promise<string> {
  const known = mailsTo(email).length;
  expect(reasonOf(await signUp(email, text))).toBe('ok');
  return codeIn(await nextMail(email, known));
}

describe('signing up by mail', () => {
  it('leads from the code to an account that is verified and can sign in', async () => {
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

  it('is answered alike for a new address, one that waits, and one that has an account', async () => {
    const [fresh, waiting, taken] = [newEmail(), newEmail(), newEmail()];
    await signUp(waiting);
    await verify(await codeFor(taken));
    const answers = [await signUp(fresh), await signUp(waiting), await signUp(taken, other)];
    const shapes = answers.map((answer) =>
      JSON.stringify(answer).replace(/user\d+@example\.com/g, 'EMAIL'),
    );
    expect(new Set(shapes).size).toBe(1);
    expect(answers[0]).toMatchObject({ ok: true, value: { verificationRequired: true } });
    expect(codeIn(await nextMail(taken, 1))).toBe('');
    expect(await nextMail(taken, 1)).toContain('Subject: You have an account already');
    expect(reasonOf(await signIn(taken, other))).toBe('CREDENTIALS_INVALID');
    expect(reasonOf(await signIn(taken))).toBe('ok');
  });

  it('before the code: the right password is told so, a wrong one gets the usual answer', async () => {
    const email = newEmail();
    const code = await codeFor(email);
    expect(reasonOf(await signIn(email))).toBe('EMAIL_UNVERIFIED');
    expect(await signIn(email, 'wrong')).toEqual(await signIn(newEmail(), 'wrong'));
    expect(reasonOf(await verify(code))).toBe('ok');
    expect(reasonOf(await signIn(email))).toBe('ok');
  });

  it('again replaces password and code', async () => {
    const email = newEmail();
    const first = await codeFor(email);
    const second = await codeFor(email, other);
    expect(reasonOf(await signIn(email))).toBe('CREDENTIALS_INVALID');
    expect(reasonOf(await verify(first))).toBe('VERIFICATION_CODE_INVALID');
    expect(reasonOf(await verify(second))).toBe('ok');
    expect(reasonOf(await signIn(email, other))).toBe('ok');
  });

  it('a fourth time in an hour mails nothing and changes nothing, with the same answer', async () => {
    const email = newEmail();
    await codeFor(email);
    await codeFor(email);
    const third = await codeFor(email);
    const fourth = await signUp(email, other);
    expect(fourth).toEqual(await signUp(email, other));
    expect(fourth).toMatchObject({ ok: true, value: { verificationRequired: true } });
    const last = newEmail();
    await codeFor(last);
    expect(mailsTo(email)).toHaveLength(3);
    expect(reasonOf(await verify(third))).toBe('ok');
    expect(reasonOf(await signIn(email))).toBe('ok');
  });

  it('a code works once, however many use it at the same time', async () => {
    const code = await codeFor(newEmail());
    const answers = await Promise.all(Array.from({ length: 10 }, () => verify(code)));
    expect(answers.map(reasonOf).filter((reason) => reason === 'ok')).toHaveLength(1);
  });

  it('a code is void after a day, and goes then', async () => {
    const email = newEmail();
    const code = await codeFor(email);
    await server.database.query(
      `UPDATE sign_ups SET expires_at = expires_at - interval '24 hours' WHERE email = $1`,
      [email],
    );
    expect(reasonOf(await verify(code))).toBe('VERIFICATION_CODE_INVALID');
    expect(reasonOf(await signIn(email))).toBe('CREDENTIALS_INVALID');
    await server.database.db.tx(pruneSignUps);
    const rows = await server.database.query('SELECT 1 FROM sign_ups WHERE email = $1', [email]);
    expect(rows).toEqual([]);
  });

  it('never replaces an account that the staff made, or that was open before there was mail', async () => {
    const email = newEmail();
    const code = await codeFor(email);
    const account = { email, password: other, role: 'customer' as const };
    expect(await createUserOnHost(server.database.db, account)).toMatchObject({ ok: true });
    expect(reasonOf(await verify(code))).toBe('VERIFICATION_CODE_INVALID');
    await signUp(email);
    expect(await nextMail(email, 1)).toContain('You have an account already');
    expect(reasonOf(await signIn(email, other))).toBe('ok');
    expect(reasonOf(await signIn(email))).toBe('CREDENTIALS_INVALID');
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

  it('keeps neither the code nor the password as it is', async () => {
    const email = newEmail();
    const code = await codeFor(email);
    const rows = await server.database.query(
      `SELECT password_hash, encode(code_hash, 'escape') AS code FROM sign_ups WHERE email = $1`,
      [email],
    );
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(code);
    expect(JSON.stringify(rows)).not.toContain(password);
  });

  it('checks address and password before anything else', async () => {
    expect(reasonOf(await signUp('no address'))).toBe('EMAIL_INVALID');
    expect(reasonOf(await signUp(newEmail(), 'short'))).toBe('PASSWORD_INVALID');
  });

  it('does not wait for the mail server, and tries again', async () => {
    const email = newEmail();
    smtp.refuseWith({ code: 451, text: 'later' });
    expect(reasonOf(await signUp(email))).toBe('ok');
    smtp.refuseWith(undefined);
    expect(reasonOf(await verify(codeIn(await nextMail(email))))).toBe('ok');
  });
});

describe('where sign-up is closed', () => {
  it('it is refused before anything is looked at', async () => {
    const closed = await startAuthServer({ isSignUpOpen: false, mailer });
    const asked = await closed.call(rpc.signUp, { email: 'no address', password: '' });
    expect(reasonOf(asked)).toBe('SIGN_UP_CLOSED');
    await closed.stop();
  });
});
