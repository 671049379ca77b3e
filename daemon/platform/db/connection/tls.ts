import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

import { toFaultError } from './connection-fault.ts';
import type { DatabaseHost, DatabaseUrl, SslMode } from './database-url.ts';

/** How to speak to one host; `false`: in the clear. */
export type Encryption = ConnectionOptions | false;

/** Which encryptions to try with a host, in order: what `sslmode` means to libpq. */
export function chooseEncryptions(url: DatabaseUrl, { host }: DatabaseHost): Encryption[] {
  // As with libpq, a Unix socket is never encrypted.
  if (host?.startsWith('/')) return [false];
  const mode = url.sslMode ?? (isThisMachine(host) ? 'allow' : 'prefer');
  if (mode === 'disable') return [false];
  const tls = readTls(url, mode);
  if (mode === 'allow') return [false, tls];
  return mode === 'prefer' ? [tls, false] : [tls];
}

const isThisMachine = (host: string | undefined): boolean =>
  host === undefined ||
  host === 'localhost' ||
  host === '::1' ||
  (isIP(host) === 4 && host.startsWith('127.'));

function readTls(url: DatabaseUrl, mode: SslMode): ConnectionOptions {
  const { sslRootCert, sslCert, sslKey, sslPassword } = url;
  const own = {
    ...(sslCert === undefined ? {} : { cert: readPem('sslcert', sslCert) }),
    ...(sslKey === undefined ? {} : { key: readPem('sslkey', sslKey) }),
    ...(sslPassword === undefined ? {} : { passphrase: sslPassword }),
  };
  const isSystem = sslRootCert === undefined || sslRootCert === 'system';
  const trust = isSystem ? {} : { ca: readPem('sslrootcert', sslRootCert) };
  if (mode === 'verify-full') return { ...own, ...trust, rejectUnauthorized: true };
  // With an authority that is named, also the weaker modes verify that it made the certificate.
  if (sslRootCert === undefined) return { ...own, rejectUnauthorized: false };
  return { ...own, ...trust, rejectUnauthorized: true, checkServerIdentity: () => undefined };
}

function readPem(name: string, path: string): string {
  let problem = 'it holds no PEM';
  try {
    const text = readFileSync(path, 'utf8');
    if (text.includes('-----BEGIN ')) return text;
  } catch (err) {
    problem = (err as Error).message;
  }
  throw toFaultError({
    fault: `${name} of a database URL cannot be used: ${problem}`,
    hint: `see that ${name} names a PEM file that the daemon can read`,
  });
}
