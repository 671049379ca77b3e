import { Readable } from 'node:stream';

import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import {
  createCertificate,
  startSmtpServer,
  type TestSmtpServer,
} from '../../../tests/support/mail/smtp.ts';
import { createMailer, describeMailFailure, type Mail, type Mailer } from './mail.ts';

let certificate: { key: string; cert: string };
const opened: { stop(): Promise<void> }[] = [];

beforeAll(() => {
  certificate = createCertificate();
});

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.stop();
});

async function smtp(options: Parameters<typeof startSmtpServer>[0] = {}): Promise<TestSmtpServer> {
  const server = await startSmtpServer({ ...certificate, ...options });
  opened.push(server);
  return server;
}

function mailer(url: string, ca: string | undefined = certificate.cert): Mailer {
  const made = createMailer({ url, from: 'Wallet <wallet@example.com>', ...(ca ? { ca } : {}) });
  opened.push(made);
  return made;
}

const mail: Mail = {
  id: 'mail-1',
  to: 'ana@example.org',
  subject: 'Olá, Ana',
  text: 'First line.\nSecond line.\n',
};

const failureOf = (sent: Promise<void>) =>
  sent.then(
    () => 'sent' as const,
    (err: unknown) => describeMailFailure(err),
  );

describe('a mail', () => {
  it('a mail arrives encrypted where the server offers STARTTLS, with its content', async () => {
    const server = await smtp();
    await mailer(`smtp://localhost:${server.port}`).send(mail);
    const [got] = server.mails;
    expect(got).toMatchObject({
      from: 'wallet@example.com',
      to: ['ana@example.org'],
      isEncrypted: true,
    });
    expect(got?.raw).toContain('Message-ID: <mail-1@example.com>');
    expect(got?.raw).toContain('From: Wallet <wallet@example.com>');
    expect(got?.raw).toContain('First line.\r\nSecond line.');
    expect(got?.raw).toContain('Auto-Submitted: auto-generated');
  });

  it('a mail takes attachments of many megabytes from streams and buffers', async () => {
    const server = await smtp({ size: 64 * 1024 * 1024 });
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const content = Readable.from(Array.from({ length: 20 }, () => chunk));
    const small = Buffer.from('date,amount\n');
    await mailer(`smtp://localhost:${server.port}`).send({
      ...mail,
      attachments: [
        { filename: 'all.csv', content, contentType: 'text/csv; charset=utf-8' },
        { filename: 'small.csv', content: small, contentType: 'text/csv' },
      ],
    });
    const raw = server.mails[0]?.raw ?? '';
    expect(raw).toContain('filename=all.csv');
    expect(raw).toContain(small.toString('base64'));
    const body = raw.replaceAll('\r\n', '');
    expect(body.length).toBeGreaterThan((20 * 1024 * 1024 * 4) / 3);
  });

  it('the mailer signs in with the user and password of the URL', async () => {
    const server = await smtp({
      authOptional: false,
      onAuth: ({ username, password }, _session, done) =>
        username === 'wallet@app' && password === 'p/ss word'
          ? done(null, { user: username })
          : done(new Error('no')),
    });
    await mailer(`smtp://wallet%40app:p%2Fss%20word@localhost:${server.port}`).send(mail);
    expect(server.mails[0]).toMatchObject({ user: 'wallet@app', isEncrypted: true });
    const wrong = failureOf(mailer(`smtp://wallet:x@localhost:${server.port}`).send(mail));
    expect(await wrong).toMatchObject({ code: 'EAUTH', isFinal: false });
  });

  it('a mail goes over TLS from the start with smtps', async () => {
    const server = await smtp({ secure: true });
    await mailer(`smtps://localhost:${server.port}`).send(mail);
    expect(server.mails[0]?.isEncrypted).toBe(true);
  });
});

describe('mails that are not sent', () => {
  it('a mail is not sent to a server with an untrusted or foreign certificate', async () => {
    const server = await smtp();
    const foreign = createCertificate('mail.example.com');
    const other = await smtp({ ...foreign });
    for (const [port, ca] of [
      [server.port, ''],
      [other.port, foreign.cert],
    ] as const) {
      const failure = await failureOf(mailer(`smtp://localhost:${port}`, ca).send(mail));
      expect(failure).toMatchObject({ code: expect.stringMatching(/TLS|CERT|SOCKET/) as string });
    }
    expect([...server.mails, ...other.mails]).toEqual([]);
  });

  it('a mail is not sent in plaintext if STARTTLS is required and not offered', async () => {
    const server = await smtp({ disabledCommands: ['STARTTLS'] });
    const url = `smtp://localhost:${server.port}`;
    expect(await failureOf(mailer(`${url}?starttls=required`).send(mail))).not.toBe('sent');
    expect(server.mails).toEqual([]);
    await mailer(url).send(mail);
    expect(server.mails[0]?.isEncrypted).toBe(false);
  });

  it('a refusal of a mail says whether a retry makes sense, and contains no address', async () => {
    const server = await smtp();
    const { send } = mailer(`smtp://localhost:${server.port}`);
    server.refuseWith({ code: 550, text: 'no mailbox ana@example.org' });
    const final = await failureOf(send(mail));
    expect(final).toMatchObject({ isFinal: true, response: 550 });
    expect(JSON.stringify(final)).not.toContain('ana');
    server.refuseWith({ code: 451, text: 'later' });
    expect(await failureOf(send(mail))).toMatchObject({ isFinal: false, response: 451 });
    server.refuseWith(undefined);
    expect(await failureOf(send(mail))).toBe('sent');
  });

  it('a mail to an unavailable server fails, and the failure is not final', async () => {
    const server = await startSmtpServer(certificate);
    await server.stop();
    const failure = await failureOf(mailer(`smtp://127.0.0.1:${server.port}`).send(mail));
    expect(failure).toMatchObject({ isFinal: false });
  });

  it.each([
    ['an address', { to: 'ana@example.org\r\nBcc: eve@example.org' }],
    ['two addresses', { to: 'ana@example.org, eve@example.org' }],
    ['a name with an address', { to: 'Ana <ana@example.org>' }],
    ['a command in an address', { to: 'ana@example.org> NOTIFY=NEVER' }],
    ['a subject', { subject: 'x\r\nBcc: eve@example.org' }],
    ['a subject with a lone LF', { subject: 'x\nBcc: eve@example.org' }],
    ['an id', { id: 'x>\r\nBcc: eve@example.org' }],
    [
      'a file name',
      { attachments: [{ filename: 'a\r\nb', content: Buffer.from(''), contentType: 'text/csv' }] },
    ],
    [
      'a type',
      {
        attachments: [{ filename: 'a', content: Buffer.from(''), contentType: 'text/csv\r\nX: y' }],
      },
    ],
  ])('a mail is not sent if %s would change its headers', async (_what, part) => {
    const server = await smtp();
    const failure = await failureOf(
      mailer(`smtp://localhost:${server.port}`).send({ ...mail, ...part }),
    );
    expect(failure).toEqual({ isFinal: true, code: 'MALFORMED' });
    expect(server.mails).toEqual([]);
  });
});

describe('stopping', () => {
  it('a stop of the mailer waits for a mail that is being sent', async () => {
    const server = await smtp();
    const sender = mailer(`smtp://localhost:${server.port}`);
    const sent = failureOf(sender.send(mail));
    await sender.stop();
    expect(await sent).toBe('sent');
    expect(await failureOf(sender.send(mail))).not.toBe('sent');
  });

  it('a stop of the mailer does not wait for a server that does not answer', async () => {
    const server = await smtp({ onData: () => undefined });
    const sender = mailer(`smtp://localhost:${server.port}`);
    const sent = failureOf(sender.send(mail));
    await sender.stop();
    expect(await sent).not.toBe('sent');
  });
});
