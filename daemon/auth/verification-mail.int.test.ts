import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  createCertificate,
  startSmtpServer,
  type TestSmtpServer,
} from '../../tests/support/smtp.ts';
import type { Log } from '../platform/log.ts';
import { createMailer, type Mailer } from '../platform/mail.ts';
import { createPost, createSignUpMail } from './verification-mail.ts';

let smtp: TestSmtpServer;
let mailer: Mailer;
let lines: string[];
let log: Log;

beforeEach(async () => {
  const certificate = createCertificate();
  smtp = await startSmtpServer(certificate);
  const url = `smtp://localhost:${smtp.port}`;
  mailer = createMailer({ url, from: 'wallet@example.com', ca: certificate.cert });
  lines = [];
  log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
});

afterEach(async () => {
  await mailer.stop();
  await smtp.stop();
});

const mail = createSignUpMail('ana@example.org', 'THE-CODE');
const logged = async (text: string) => {
  while (!lines.some((line) => line.includes(text))) await new Promise(setImmediate);
};

describe('mail that nobody waits for', () => {
  it('is given up after a final refusal, and the log has neither code nor address', async () => {
    smtp.refuseWith({ code: 550, text: 'no such user ana@example.org' });
    const post = createPost({ mailer, log, waitsMs: [0, 0] });
    post.send(mail);
    await post.drain();
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ mail: mail.id, tries: 1, response: 550 });
    expect(lines.join()).not.toMatch(/ana@|THE-CODE|such user/);
  });

  it('is tried so many times and no more', async () => {
    smtp.refuseWith({ code: 451, text: 'later' });
    const post = createPost({ mailer, log, waitsMs: [0, 0] });
    post.send(mail);
    await logged('given up');
    expect(lines).toHaveLength(3);
    expect(smtp.mails).toEqual([]);
  });

  it('goes once more at the stop if it waits for its next try', async () => {
    smtp.refuseWith({ code: 451, text: 'later' });
    const post = createPost({ mailer, log, waitsMs: [3_600_000] });
    post.send(mail);
    await logged('tried again');
    smtp.refuseWith(undefined);
    await post.drain();
    expect(smtp.mails.map(({ to }) => to)).toEqual([['ana@example.org']]);
    post.send(mail);
    await logged('given up');
  });
});
