import { createMailer, type Mailer } from '../../../daemon/platform/mail/mail.ts';
import { createCertificate, startSmtpServer, type TestSmtpServer } from './smtp.ts';

export type Mailbox = {
  readonly smtp: TestSmtpServer;
  readonly mailer: Mailer;
  /** Mails to an address, decoded, the oldest first; `about`: whose subject or text has this. */
  to(email: string, about?: string): string[];
  /** The next such mail after `known` of them, once it has come. */
  next(email: string, about?: string, known?: number): Promise<string>;
  stop(): Promise<void>;
};

/** A real SMTP server that keeps what it is sent, and a mailer that sends to it. */
export async function openMailbox(): Promise<Mailbox> {
  const certificate = createCertificate();
  const smtp = await startSmtpServer(certificate);
  const url = `smtp://localhost:${smtp.port}?starttls=required`;
  const mailer = createMailer({ url, from: 'wallet@example.com', ca: certificate.cert });
  const to = (email: string, about = ''): string[] =>
    smtp.mails
      .filter((mail) => mail.to.includes(email.toLowerCase()))
      .map(({ raw }) => decodeMail(raw))
      .filter((text) => text.includes(about));
  return {
    smtp,
    mailer,
    to,
    next: async (email, about = '', known = 0) => {
      for (;;) {
        const mail = to(email, about)[known];
        if (mail !== undefined) return mail;
        await smtp.waitFor(smtp.mails.length + 1);
      }
    },
    stop: async () => {
      await mailer.stop();
      await smtp.stop();
    },
  };
}

/** Undoes quoted-printable, and the CRs. */
function decodeMail(raw: string): string {
  const text = raw.replaceAll('\r', '');
  if (!/^content-transfer-encoding: quoted-printable$/im.test(text)) return text;
  return text
    .replace(/=\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_match, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** The code in a mail, or an empty text. */
export const codeIn = (mail: string): string =>
  /(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}/.exec(mail)?.[0] ?? '';
