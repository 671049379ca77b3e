import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthServiceService as rpc } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { connect } from '../support/grpc.ts';
import { createCertificate, startSmtpServer, type TestSmtpServer } from '../support/smtp.ts';
import { createWorld, password, type World } from '../support/world.ts';

let world: World;
let smtp: TestSmtpServer;

beforeAll(async () => {
  const certificate = createCertificate();
  smtp = await startSmtpServer(certificate);
  world = await createWorld();
  const caFile = join(world.folder, 'smtp-ca.pem');
  await writeFile(caFile, certificate.cert);
  await world.start({
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
  it('mails a code to who signs up, and lets them in with it', async () => {
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
    expect(await client.call(rpc.verifyEmail, { code })).toMatchObject({ ok: true });
    expect(await signIn()).toMatchObject({ ok: true });
    client.close();
  });
});
