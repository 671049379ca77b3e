import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startAuthServer, type AuthServer } from '../../../tests/support/auth/server.ts';
import { createPeople, reasonOf, valueOf } from '../../../tests/support/auth/people.ts';
import { createTestDatabase } from '../../../tests/support/postgres/database.ts';
import { openMailbox, type Mailbox } from '../../../tests/support/mail/mailbox.ts';
import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { mailDelayMs, maxMailDelayMs } from '../domain.ts';
import { generateSigningKey, resetPasswordOnHost } from '../index.ts';
import { sendNextMail } from '../mails/queue.ts';
import { appendMail, correctMailTimes } from '../mails/store.ts';
import { composeNotices, createNotices } from './notices.ts';

const password = 'correct horse battery';
const newDevice = 'New sign-in to your digital wallet';
const signingKeyPem = generateSigningKey();
let mailbox: Mailbox;
let server: AuthServer;
const people = createPeople(() => server);

beforeAll(async () => {
  mailbox = await openMailbox();
  server = await startAuthServer({ mailer: mailbox.mailer, signingKeyPem });
});

afterAll(async () => {
  await server.stop();
  await mailbox.stop();
});

const signIn = (email: string, more: object = {}) =>
  server.call(rpc.signIn, { email, password, client: 'wallet on home', deviceToken: '', ...more });

async function untilSent(): Promise<void> {
  while ((await server.database.query('SELECT 1 FROM mails')).length > 0);
}

describe('notices to the owner', () => {
  it('an owner gets a mail about a sign-in from a new device, not from a known one', async () => {
    const { email } = await people.create('customer');
    await mailbox.next(email, newDevice);
    const { deviceToken } = valueOf(await signIn(email));
    const mail = await mailbox.next(email, newDevice, 1);
    expect(mail).toMatch(/Time: +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n/);
    expect(mail).toMatch(/With: +wallet on home\n/);
    expect(mail).toMatch(/From: +(127\.0\.0\.1|::1)\n/);
    expect(mail).toContain(`wallet reset-password --email ${email}`);
    expect(reasonOf(await signIn(email, { deviceToken }))).toBe('ok');
    await untilSent();
    expect(mailbox.to(email, newDevice)).toHaveLength(2);
  });

  it('an owner gets mails about a new API key and a new password, without secrets', async () => {
    const { email, bearer } = await people.create('customer');
    const expiresAt = new Date(Date.now() + 86_400_000);
    const key = { name: 'nightly job', scopes: ['wallets:read'], operations: [], expiresAt };
    const { secret } = valueOf(await server.call(rpc.createApiKey, key, bearer));
    const change = {
      ...{ oldPassword: password, newPassword: 'another long password' },
      ...{ revokeOtherSessions: false, revokeApiKeys: true },
    };
    expect(reasonOf(await server.call(rpc.changePassword, change, bearer))).toBe('ok');
    const mails = [
      await mailbox.next(email, 'New API key'),
      await mailbox.next(email, 'password of your digital wallet was changed'),
    ];
    expect(mails[0]).toMatch(/With: +nightly job\n/);
    expect(mails[1]).toMatch(/API keys ended: +1\n/);
    expect(mails.join()).not.toContain(secret);
    expect(mails.join()).not.toContain('another long');
  });

  it('a notice contains no link, header or markup from the text of a caller', async () => {
    const { email } = await people.create('customer');
    const client = 'x\r\nBcc: a@b.example\n\nVisit https://evil.example/now <b>or else</b>';
    expect(reasonOf(await signIn(email, { client }))).toBe('ok');
    const mail = await mailbox.next(email, 'Visit');
    expect(mail).not.toMatch(/https?:|evil\.example|b\.example|^Bcc|<b>/m);
    expect(mail).toMatch(/With: +x Bcc a b example Visit https evil example now/);
  });

  it('an owner gets at most five mails of one kind in an hour, and still other kinds', async () => {
    const { email, bearer } = await people.create('customer');
    for (let i = 0; i < 9; i += 1) expect(reasonOf(await signIn(email))).toBe('ok');
    const revoked = await server.call(rpc.revokeAllCredentials, { userId: '' }, bearer);
    expect(reasonOf(revoked)).toBe('ok');
    await mailbox.next(email, 'All sign-ins');
    await untilSent();
    expect(mailbox.to(email, newDevice)).toHaveLength(5);
  });

  it('an owner gets a mail about a password that was reset on the host', async () => {
    const { email } = await people.create('customer');
    const account = { email, password: 'another long password' };
    expect(await resetPasswordOnHost(server.database.db, account, true)).toMatchObject({
      ok: true,
    });
    expect(await mailbox.next(email, 'was reset')).toMatch(/From: +the host of the server\n/);
  });

  it('an owner gets no mail at an address that was not verified', async () => {
    const { email, id } = await people.create('customer');
    await untilSent();
    const unverify = 'UPDATE users SET email_verified = false WHERE id = $1';
    await server.database.query(unverify, [id]);
    const known = mailbox.to(email).length;
    expect(reasonOf(await signIn(email))).toBe('ok');
    await untilSent();
    expect(mailbox.to(email)).toHaveLength(known);
  });
});

describe('account mails', () => {
  it('an account mail that the server refuses for now is sent by the next daemon', async () => {
    const { email } = await people.create('customer');
    await mailbox.next(email, newDevice);
    const first = await startAuthServer({ database: server.database, mailer: mailbox.mailer });
    mailbox.smtp.refuseWith({ code: 451, text: 'later' });
    expect(reasonOf(await signIn(email))).toBe('ok');
    const tried = 'SELECT 1 FROM mails WHERE recipient = $1 AND attempt > 0';
    while ((await server.database.query(tried, [email])).length === 0);
    await first.stop();
    await server.database.query('UPDATE mails SET due_at = clock_timestamp()');
    mailbox.smtp.refuseWith(undefined);
    await mailbox.next(email, newDevice, 1);
    await untilSent();
    expect(mailbox.to(email, newDevice)).toHaveLength(2);
  });

  it('a finally refused mail is given up, and logged without address and reply text', async () => {
    const database = await createTestDatabase('auth');
    const { db } = database;
    const lines: string[] = [];
    const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
    await db.tx((tx) => appendMail(tx, { kind: 'new-device', recipient: 'ana@example.org' }));
    mailbox.smtp.refuseWith({ code: 550, text: 'no such user ana@example.org' });
    const options = { db, mailer: mailbox.mailer, log, compose: composeNotices };
    expect(await sendNextMail(options)).toBe(true);
    expect(await sendNextMail(options)).toBe(false);
    mailbox.smtp.refuseWith(undefined);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ kind: 'new-device', response: 550 });
    expect(lines.join()).not.toMatch(/ana@|such user/);
    await database.drop();
  });

  it('six concurrent senders send each mail once', async () => {
    const database = await createTestDatabase('auth');
    const { db } = database;
    const log = pino({ level: 'silent' });
    const recipients = Array.from({ length: 6 }, (_, i) => `once${i}@example.org`);
    for (const recipient of recipients)
      await db.tx((tx) => appendMail(tx, { kind: 'new-device', recipient }));
    const options = { db, mailer: mailbox.mailer, log, compose: composeNotices };
    await Promise.all(recipients.map(() => sendNextMail(options)));
    while (await sendNextMail(options));
    for (const recipient of recipients) expect(mailbox.to(recipient)).toHaveLength(1);
    await database.drop();
  });

  it('the time of a mail due later than the longest delay is corrected once', async () => {
    const database = await createTestDatabase('auth');
    await database.db.tx((tx) => appendMail(tx, { kind: 'new-device', recipient: 'a@b.example' }));
    await database.query(`UPDATE mails SET due_at = clock_timestamp() + interval '1 day'`);
    expect(await database.db.tx((tx) => correctMailTimes(tx, maxMailDelayMs))).toBe(1);
    expect(await database.db.tx((tx) => correctMailTimes(tx, maxMailDelayMs))).toBe(0);
    expect([1, 2, 9, 500].map(mailDelayMs)).toEqual([2_000, 4_000, 512_000, 600_000]);
    await database.drop();
  });

  it('no mail is queued by a transaction that is rolled back, or where mail is off', async () => {
    const database = await createTestDatabase('auth');
    const owner = { email: 'ana@example.org', isEmailVerified: true };
    const notice = { kind: 'new-device' } as const;
    const [on, off] = [createNotices({ isMailOn: true }), createNotices({ isMailOn: false })];
    const rolledBack = database.db.tx(async (tx) => {
      await on.notifyOwner(tx, owner, notice);
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    await database.db.tx((tx) => off.notifyOwner(tx, owner, notice));
    expect(await database.query('SELECT 1 FROM mails')).toEqual([]);
    await database.db.tx((tx) => on.notifyOwner(tx, owner, notice));
    expect(await database.query('SELECT 1 FROM mails')).toHaveLength(1);
    await database.drop();
  });
});
