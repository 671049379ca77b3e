import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type PeerCertificate } from 'node:tls';
import type { X509Certificate } from 'node:crypto';

import { tlsCiphers } from '../../../core/tls-ciphers.ts';
import type { ServerAddress } from '../../config/server-address.ts';
import type { TlsFiles } from '../../config/tls.ts';

const timeoutMs = 5_000;

/** Connects and closes; undefined, or why there is no connection. */
export function probeTcp({ host, port }: ServerAddress): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port });
    endBy(socket, resolve, 'no answer in time');
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
  });
}

export type TlsProbe = {
  /** Why the chain is not trusted, as OpenSSL names it; undefined if it is. */
  readonly untrusted: string | undefined;
  readonly isNameRight: boolean;
  /** The names that the certificate is for. */
  readonly names: string;
  readonly validFromMs: number;
  /** When the first certificate of the chain ends. */
  readonly validToMs: number;
};

/** Shakes hands, whatever the certificate is; or says why that fails. */
export function probeTls(
  { host, port }: ServerAddress,
  files: TlsFiles,
): Promise<TlsProbe | { readonly failure: string }> {
  return new Promise((resolve) => {
    const { ca, cert, key } = files;
    const socket = connectTls({
      ...{ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] },
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(ca ? { ca } : {}),
      ...(cert && key ? { cert, key } : {}),
      ...{ ciphers: tlsCiphers, minVersion: 'TLSv1.2' },
    });
    endBy(socket, (why) => resolve({ failure: explainTls(why ?? '') }), 'no answer in time');
    socket.once('secureConnect', () => {
      const first = socket.getPeerX509Certificate();
      // Of an issuer that is not known there is an empty object.
      const ends = listChain(socket.getPeerCertificate(true)).map((one) =>
        Date.parse(one.valid_to),
      );
      const error = socket.authorized
        ? undefined
        : (socket.authorizationError as Error | string | undefined);
      socket.destroy();
      if (!first) {
        resolve({ failure: 'the server shows no certificate' });
        return;
      }
      const code = error instanceof Error ? codeOf(error) : error;
      const isOfChain = code !== undefined && !codesOfOthers.has(code);
      resolve({
        untrusted: isOfChain ? code : undefined,
        isNameRight: isFor(first, host),
        names: first.subjectAltName ?? first.subject.replaceAll('\n', ', '),
        validFromMs: Date.parse(first.validFrom),
        validToMs: Math.min(Date.parse(first.validTo), ...ends.filter(Number.isFinite)),
      });
    });
  });
}

/** They are findings of their own. */
const codesOfOthers = new Set([
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
]);

const codeOf = (error: Error): string => ('code' in error ? String(error.code) : error.message);

const isFor = (certificate: X509Certificate, host: string): boolean =>
  (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;

/** The certificates that were shown, and what they were completed with. */
function listChain(first: PeerCertificate): PeerCertificate[] {
  const chain: PeerCertificate[] = [];
  type Issued = PeerCertificate & { readonly issuerCertificate?: PeerCertificate };
  for (let at: Issued | undefined = first; at && !chain.includes(at); at = at.issuerCertificate) {
    chain.push(at);
  }
  return chain;
}

const explainTls = (why: string): string =>
  /wrong version number|packet length too long|EPROTO|record layer/.test(why)
    ? 'the server does not speak TLS'
    : why;

/** What speaks on a port that does not answer as gRPC does; undefined if that is not known. */
export function probeHttp({ host, port }: ServerAddress): Promise<'http' | undefined> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port });
    endBy(socket, () => resolve(undefined), 'no answer in time');
    socket.once('connect', () => socket.write(`GET / HTTP/1.0\r\nHost: ${host}\r\n\r\n`));
    socket.once('data', (chunk: Buffer) => {
      socket.destroy();
      resolve(chunk.toString('latin1').startsWith('HTTP/1.') ? 'http' : undefined);
    });
  });
}

/** Ends with a reason at an error, at the end of the connection, or after some time. */
function endBy(socket: Socket, end: (why: string | undefined) => void, late: string): void {
  const timer = setTimeout(() => {
    end(late);
    socket.destroy();
  }, timeoutMs);
  socket.once('error', (error) => end(error.message === '' ? codeOf(error) : error.message));
  socket.once('close', () => {
    clearTimeout(timer);
    end('the connection was closed');
  });
}
