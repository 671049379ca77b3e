import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

type ReceivedMail = {
  readonly from: string;
  readonly to: readonly string[];
  /** As it came over the line. */
  readonly raw: string;
  readonly isEncrypted: boolean;
  readonly user: string | undefined;
};

export type TestSmtpServer = {
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  /** Waits for one more mail than were there, or for that many in all. */
  waitFor(count: number): Promise<readonly ReceivedMail[]>;
  /** What becomes of the next recipients: a reply of the server, or nothing to accept. */
  refuseWith(reply: { readonly code: number; readonly text: string } | undefined): void;
  stop(): Promise<void>;
};

/** A certificate for `localhost` that no authority has signed, and its key. */
export function createCertificate(name = 'localhost'): {
  readonly key: string;
  readonly cert: string;
} {
  const folder = mkdtempSync(join(tmpdir(), 'dw-cert-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
        .concat(['-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`])
        .concat(['-keyout', key, '-out', cert]),
      { stdio: 'ignore' },
    );
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A real SMTP server in this process, on a free port of 127.0.0.1. */
export async function startSmtpServer(options: SMTPServerOptions = {}): Promise<TestSmtpServer> {
  const mails: ReceivedMail[] = [];
  const watchers = new Set<() => void>();
  let refusal: { code: number; text: string } | undefined;
  const server = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true,
    onRcptTo: (_address, _session, done) =>
      done(refusal && Object.assign(new Error(refusal.text), { responseCode: refusal.code })),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString('utf8'),
          isEncrypted: session.secure,
          user: typeof session.user === 'string' ? session.user : undefined,
        });
        done();
        watchers.forEach((look) => look());
      });
    },
    ...options,
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    waitFor: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (mails.length < count) return;
          watchers.delete(look);
          resolve(mails);
        };
        watchers.add(look);
        look();
      }),
    refuseWith: (reply) => {
      refusal = reply;
    },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
