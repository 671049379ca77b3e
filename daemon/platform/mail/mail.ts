import type { Readable } from 'node:stream';

import { createTransport } from 'nodemailer';

import { isMailAddress, parseSender, parseSmtpUrl, type SmtpServer } from './settings.ts';

type Attachment = {
  readonly filename: string;
  /** A stream is read once: a mail with one cannot be sent a second time. */
  readonly content: Readable | Buffer;
  /** For instance `text/csv; charset=utf-8`. */
  readonly contentType: string;
};

export type Mail = {
  /** Letters, digits, `.`, `_` and `-`: the same for the same mail, however often it is sent. */
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  /** Plain text, lines ended by LF. */
  readonly text: string;
  readonly attachments?: readonly Attachment[];
};

export type Mailer = {
  /**
   * Resolves once the server has taken the mail. One try: who wants more calls again, with the same
   * id. Throws a TypeError for what must not become a header, otherwise what went wrong on the way;
   * `describeMailFailure` reads it.
   */
  send(mail: Mail): Promise<void>;
  /** Waits for what is being sent, up to a second, then closes the connections. */
  stop(): Promise<void>;
};

/** For 20 MB over a slow line. */
const sendTimeoutMs = 5 * 60_000;
const stopMs = 1_000;
const maxConnections = 2;

/**
 * Sends mail over SMTP. `url` and `from` are those that `parseSmtpUrl` and `parseSender` accept;
 * `ca` is a PEM text whose authorities are trusted instead of the system ones. Certificates are
 * always verified.
 */
export function createMailer(options: {
  readonly url: string;
  readonly from: string;
  readonly ca?: string;
}): Mailer {
  const server = parseSmtpUrl(options.url);
  const from = parseSender(options.from);
  if (!server || !from) throw new TypeError('no SMTP server or no sender');
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
  const transport = createTransport(toTransportOptions(server, options.ca));
  const stopping = new AbortController();
  const sending = new Set<Promise<unknown>>();

  return {
    send: async (mail) => {
      checkMail(mail);
      const delivery = transport.sendMail({
        from,
        to: { name: '', address: mail.to },
        envelope: { from: from.address, to: [mail.to] },
        subject: mail.subject,
        text: mail.text,
        messageId: `<${mail.id}@${domain}>`,
        // No robot shall answer (RFC 3834).
        headers: { 'Auto-Submitted': 'auto-generated' },
        attachments: (mail.attachments ?? []).map(({ filename, content, contentType }) => ({
          filename,
          content,
          contentType,
        })),
        disableFileAccess: true,
        disableUrlAccess: true,
        signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(sendTimeoutMs)]),
      });
      sending.add(delivery);
      await delivery.finally(() => sending.delete(delivery));
    },
    stop: async () => {
      const timer = setTimeout(() => stopping.abort(), stopMs);
      await Promise.allSettled(sending);
      clearTimeout(timer);
      transport.close({ force: true });
    },
  };
}

function toTransportOptions(server: SmtpServer, ca: string | undefined) {
  return {
    pool: true as const,
    maxConnections,
    // A mail with a stream cannot be begun again; the sender decides about a retry.
    maxRequeues: 0,
    idleTimeout: 30_000,
    host: server.host,
    port: server.port,
    secure: server.isTlsFromStart,
    requireTLS: server.isTlsRequired,
    ...(server.auth ? { auth: server.auth } : {}),
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    dnsTimeout: 10_000,
    socketTimeout: 60_000,
    disableFileAccess: true,
    disableUrlAccess: true,
    tls: {
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2' as const,
      ...(ca === undefined ? {} : { ca }),
    },
  };
}

/** Whatever stands in a header must not be able to begin another. */
function checkMail(mail: Mail): void {
  const isOneLine = (text: string): boolean => !/[\p{Cc}\u2028\u2029]/u.test(text);
  if (!/^[\w.-]{1,200}$/.test(mail.id)) throw new TypeError('the id of a mail is not well-formed');
  if (!isMailAddress(mail.to)) throw new TypeError('the address of a mail is not well-formed');
  if (!isOneLine(mail.subject)) throw new TypeError('the subject of a mail is not one line');
  for (const { filename, contentType } of mail.attachments ?? []) {
    if (!isOneLine(filename)) throw new TypeError('the name of an attachment is not one line');
    if (!/^[\w.+-]+\/[\w.+-]+(; ?[\w-]+=[\w.-]+)*$/.test(contentType)) {
      throw new TypeError('the type of an attachment is not well-formed');
    }
  }
}

/**
 * What may be logged of a mail that was not sent: never the server's words, which quote addresses.
 * `isFinal`: another try would end the same way (a reply of the 5xx kind).
 */
export function describeMailFailure(err: unknown): {
  readonly isFinal: boolean;
  readonly code: string;
  readonly response?: number;
} {
  if (err instanceof TypeError) return { isFinal: true, code: 'MALFORMED' };
  const code = err instanceof Error && 'code' in err ? String(err.code) : 'UNKNOWN';
  const given = err instanceof Error && 'responseCode' in err ? err.responseCode : undefined;
  const response = typeof given === 'number' ? { response: given } : {};
  // An operator may correct a refused password on the server while the mail waits.
  const isFinal = typeof given === 'number' && given >= 500 && code !== 'EAUTH';
  return { isFinal, code, ...response };
}
