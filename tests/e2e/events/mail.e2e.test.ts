import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { connect } from '../../support/grpc/client.ts';
import {
  createCertificate,
  startSmtpServer,
  type TestSmtpServer,
} from '../../support/mail/smtp.ts';
import { findFreePort } from '../../support/free-port.ts';
import { runWallet, type Environment } from '../../../scripts/product.ts';
import { createWorld, expectCode, password, type World } from '../../support/processes/world.ts';

let world: World;
let smtp: TestSmtpServer;
let http: string;

beforeAll(async () => {
  const certificate = createCertificate();
  smtp = await startSmtpServer(certificate);
  world = await createWorld();
  const caFile = join(world.folder, 'smtp-ca.pem');
  await writeFile(caFile, certificate.cert);
  http = `127.0.0.1:${await findFreePort()}`;
  await world.start({
    WALLETD_HTTP_LISTEN: http,
    SMTP_URL: `smtp://localhost:${smtp.port}?starttls=required`,
    MAIL_FROM: 'Wallet <wallet@example.com>',
    SMTP_CA_FILE: caFile,
  });
});

afterAll(async () => {
  await world.dispose();
  await smtp.stop();
});

describe('a daemon with a mail server', () => {
  it('a sign-up gets a code by mail, and sign-in works after its verification', async () => {
    const client = connect(world.daemon().address);
    const email = 'ana@example.com';
    const signIn = () =>
      client.call(rpc.signIn, { email, password, client: 'test', deviceToken: '' });
    expect(await client.call(rpc.signUp, { email, password })).toMatchObject({
      ok: true,
      value: { verificationRequired: true, user: { id: '', email } },
    });
    const [mail] = await smtp.waitFor(1);
    const code = /verify-email (\S+)/.exec(mail?.raw ?? '')?.[1] ?? '';
    expect(await signIn()).toMatchObject({ ok: false, reason: 'EMAIL_UNVERIFIED' });
    expect(await client.call(rpc.verifyEmail, { code, signUpToken: '', password })).toMatchObject({
      ok: true,
    });
    expect(await signIn()).toMatchObject({ ok: true });
    client.close();
  });
});

describe('the gateway of a daemon with a mail server', () => {
  const post = async (path: string, body: object) => {
    const answer = await fetch(`http://${http}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const cookie = answer.headers.get('set-cookie');
    return { status: answer.status, cookie, body: (await answer.json()) as object };
  };
  const mailTo = async (email: string): Promise<string> => {
    for (;;) {
      const found = smtp.mails.find(({ to }) => to.includes(email));
      if (found) return found.raw.replace(/=\r\n/g, '');
      await smtp.waitFor(smtp.mails.length + 1);
    }
  };

  it.each([
    ['/v1/sign-up', {}, '/v1/sign-in'],
    ['/auth/sign-up', { confirmPassword: password }, '/auth/sign-in'],
  ])('POST %s mails a code, without which no sign-in works', async (path, more, signIn) => {
    const person = { email: `http${path.length}@example.com`, password };
    const signedUp = await post(path, { ...person, ...more });
    expect(signedUp).toMatchObject({ status: 202, body: { verificationRequired: true } });
    expect(signedUp.cookie).toBeNull();
    const early = await post(signIn, person);
    expect(early.body).toMatchObject({ reason: 'EMAIL_UNVERIFIED' });
    const code = /verify-email (\S+)/.exec(await mailTo(person.email))?.[1] ?? '';
    const { signUpToken } = signedUp.body as { signUpToken: string };
    const wrong = await post('/v1/verify-email', { code: 'ABCD-EFGH', signUpToken });
    expect(wrong).toMatchObject({ status: 401, body: { reason: 'VERIFICATION_CODE_INVALID' } });
    const verified = await post('/v1/verify-email', { code, signUpToken });
    expect(verified).toMatchObject({ status: 200, body: { email: person.email } });
    expect((await post(signIn, person)).status).toBe(200);
  });
});

describe('the wallet command with a mail server', () => {
  const newPassword = 'another long passphrase';
  const homes = new Map<string, Environment>();
  const run = async (home: string, args: readonly string[], input?: string) => {
    const env = homes.get(home) ?? (await world.homeOf(home));
    homes.set(home, env);
    const server = { WALLET_SERVER: world.daemon().address };
    return runWallet(args, {
      env: { ...env, ...server },
      ...(input === undefined ? {} : { input }),
    });
  };
  const signIn = (home: string, email: string, text: string) =>
    run(
      home,
      ['sign-in', '--email', email, '--password-stdin', '--insecure-storage', '--json'],
      text,
    );
  /** The code in the mail to an address with this in it that comes after `known` others. */
  const nextCode = async (email: string, about: string, known = 0): Promise<string> => {
    for (;;) {
      const raw = smtp.mails
        .filter((mail) => mail.to.includes(email) && mail.raw.includes(about))
        .at(known)?.raw;
      if (raw !== undefined) {
        return /(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}/.exec(raw.replace(/=\r\n/g, ''))?.[0] ?? '';
      }
      await smtp.waitFor(smtp.mails.length + 1);
    }
  };

  it('a code opens the account of its own sign-up, not of a later one', async () => {
    const email = 'eve@example.com';
    const signUp = ['sign-up', '--email', email, '--password-stdin'];
    expectCode(await run('owner', signUp, password), 0);
    await nextCode(email, 'Your code');
    expectCode(await run('attacker', signUp, newPassword), 0);
    const newest = await nextCode(email, 'Your code', 1);
    expectCode(await run('owner', ['verify-email', newest]), 0);
    expectCode(await signIn('attacker', email, newPassword), 4);
    expectCode(await signIn('owner', email, password), 0);
  });

  it('wallet resets a password, ends the keys, reports it, and changes the address', async () => {
    const email = 'eve@example.com';
    const create = ['api-keys', 'create', '--name', 'job', '--scope', 'wallets:read'];
    const made = await run('owner', create);
    expectCode(made, 0);
    const asked = await run('other', ['reset-password', '--email', email]);
    expectCode(asked, 0);
    const code = await nextCode(email, 'for a new password');
    const reset = ['reset-password', '--email', email, '--code', code, '--password-stdin'];
    const done = await run('other', [...reset, '--json'], newPassword);
    expectCode(done, 0);
    expect(JSON.parse(done.stdout)).toEqual({
      ...{ email, revokedSessions: 1, revokedApiKeys: 1, keptApiKeys: 0 },
    });
    expectCode(await run('other', reset, newPassword), 4);
    expectCode(await run('owner', ['balance']), 4);
    const byKey = { env: { ...homes.get('owner'), WALLET_TOKEN: made.stdout.trim() } };
    const server = { WALLET_SERVER: world.daemon().address };
    expectCode(await runWallet(['balance'], { env: { ...byKey.env, ...server } }), 4);
    expectCode(await signIn('owner', email, password), 4);
    expectCode(await signIn('owner', email, newPassword), 0);

    const newEmail = 'eve@new.example.com';
    const change = ['change-email', '--email', newEmail, '--password-stdin', '--json'];
    expectCode(await run('owner', change, newPassword), 0);
    const changeCode = await nextCode(newEmail, 'for a new e-mail address');
    const changed = await run('owner', ['change-email', '--code', changeCode, '--json']);
    expectCode(changed, 0);
    expect(JSON.parse(changed.stdout)).toMatchObject({ email: newEmail, emailVerified: true });
    const whoami = await run('owner', ['whoami', '--json']);
    expect(JSON.parse(whoami.stdout)).toMatchObject({ user: { email: newEmail } });
    expectCode(await signIn('other', newEmail, newPassword), 0);
    while (!smtp.mails.some(({ to, raw }) => to.includes(email) && raw.includes('was changed')))
      await smtp.waitFor(smtp.mails.length + 1);

    const all = await run('other', ['users', 'revoke-all', '-y', '--json']);
    expectCode(all, 0);
    expect(JSON.parse(all.stdout)).toMatchObject({ revokedSessions: 2, revokedApiKeys: 0 });
    expectCode(await run('owner', ['balance']), 4);
  });
});
