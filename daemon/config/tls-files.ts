import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

import type { SecretReader } from '../../core/secret-file.ts';
import type { Fault, Outcome } from '../fault.ts';
import { findSecretFault, readWithFacts, type ReadFile } from '../host/secret-files.ts';
import type { PeerTls } from '../platform/grpc/caller/remote.ts';
import type { ServerTls, TlsMaterial } from '../platform/grpc/ingress/listener.ts';
import type { Log } from '../platform/log.ts';

/** Paths of PEM files, where they are set. `cert` and `key` come together. */
export type TlsFileNames = {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly clientCa: string | undefined;
  readonly peerCa: string | undefined;
};

/** What the files held when they were last whole and fitted together. */
type Contents = {
  readonly server: TlsMaterial | undefined;
  readonly peer: ReturnType<PeerTls['current']>;
  readonly expiresAtMs: number;
};

export type TlsFiles = {
  /** For our listener; undefined without a certificate. */
  readonly server: ServerTls | undefined;
  readonly peer: PeerTls;
  stop(): void;
};

/** By whom, and how, the files are read. */
export type TlsFileAccess = {
  readonly reader: SecretReader;
  /** By default this process opens them itself. */
  readonly read?: (path: string) => Promise<ReadFile>;
};

const variables = {
  cert: 'TLS_CERT_FILE',
  key: 'TLS_KEY_FILE',
  clientCa: 'TLS_CLIENT_CA_FILE',
  peerCa: 'PEER_CA_FILE',
} as const;

const lookEveryMs = 10_000;
const warnBeforeMs = 24 * 60 * 60_000;
const warnEveryMs = 60 * 60_000;

/**
 * Reads the files, and again every 10 seconds: renewed ones are in force for new connections. Files
 * that do not fit together are faults at the start; later the last good ones stay in use, since a
 * renewal may be half done.
 */
export async function openTlsFiles(
  names: TlsFileNames,
  access: TlsFileAccess,
  log: Log,
): Promise<Outcome<TlsFiles>> {
  const opened = await readTlsFiles(names, access, Date.now());
  if (!opened.ok) return opened;
  let contents = opened.value;
  let warnedAt = -Infinity;
  let toldFault = '';
  const listeners: ((material: TlsMaterial) => void)[] = [];

  const look = async (): Promise<void> => {
    const nowMs = Date.now();
    const read = await readTlsFiles(names, access, nowMs);
    const fault = read.ok ? '' : read.fault.fault;
    if (fault !== '' && fault !== toldFault) log.warn({ fault }, 'TLS files cannot be used');
    toldFault = fault;
    if (read.ok && !isSame(read.value, contents)) {
      contents = read.value;
      const { server } = contents;
      if (server) listeners.forEach((listener) => listener(server));
      log.info({ expiresAt: new Date(contents.expiresAtMs) }, 'TLS files were renewed');
    }
    if (contents.expiresAtMs - nowMs < warnBeforeMs && performance.now() - warnedAt > warnEveryMs) {
      warnedAt = performance.now();
      log.warn({ expiresAt: new Date(contents.expiresAtMs) }, 'the TLS certificate ends soon');
    }
  };
  const hasFiles = Object.values(names).some((name) => name !== undefined);
  const repeat = (): void => void look().catch((err: unknown) => log.error({ err }, 'TLS files'));
  const timer = hasFiles ? setInterval(repeat, lookEveryMs).unref() : undefined;
  if (hasFiles) await look();
  const material = (): TlsMaterial => {
    if (!contents.server) throw new Error('there is no certificate');
    return contents.server;
  };
  const server = {
    current: material,
    subscribe: (on: (m: TlsMaterial) => void) => void listeners.push(on),
  };
  return {
    ok: true,
    value: {
      server: contents.server && server,
      peer: { current: () => contents.peer },
      stop: () => clearInterval(timer),
    },
  };
}

/** What is wrong with the files, if anything, for `walletd config check`. */
export async function findTlsFault(
  names: TlsFileNames,
  access: TlsFileAccess,
): Promise<Fault | undefined> {
  const read = await readTlsFiles(names, access, Date.now());
  return read.ok ? undefined : read.fault;
}

async function readTlsFiles(
  names: TlsFileNames,
  access: TlsFileAccess,
  nowMs: number,
): Promise<Outcome<Contents>> {
  const files: Partial<Record<keyof TlsFileNames, Buffer>> = {};
  for (const kind of ['cert', 'key', 'clientCa', 'peerCa'] as const) {
    const name = names[kind];
    if (name === undefined) continue;
    const read = await readPem(
      variables[kind],
      name,
      kind === 'key' ? access.reader : null,
      access,
    );
    if (!read.ok) return read;
    files[kind] = read.value;
  }
  const { cert, key, clientCa, peerCa } = files;
  const peer = { rootCerts: peerCa, key, cert };
  if (!cert || !key) return { ok: true, value: { server: undefined, peer, expiresAtMs: Infinity } };
  const checked = checkPair(cert, key, names, nowMs);
  if (!checked.ok) return checked;
  const server = { cert, key, clientCa };
  return { ok: true, value: { server, peer, expiresAtMs: checked.value } };
}

/** The file, if it holds what it should: certificates, or a key that needs no password. */
async function readPem(
  variable: string,
  name: string,
  keyReader: SecretReader | null,
  { read = readWithFacts }: TlsFileAccess,
): Promise<Outcome<Buffer>> {
  try {
    const { bytes: pem, facts } = await read(name);
    if (keyReader) createPrivateKey(pem);
    else createSecureContext({ ca: pem, cert: pem });
    const unsafe = keyReader && findSecretFault(variable, name, facts, keyReader);
    return unsafe ? { ok: false, fault: unsafe } : { ok: true, value: pem };
  } catch (err) {
    const code = err instanceof Error && 'code' in err ? String(err.code) : '';
    if (/^E[A-Z]+$/.test(code)) {
      const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
      return fault(`${variable}: ${name} ${why}`, 'name a file that the daemon may read');
    }
    return keyReader
      ? fault(
          `${variable}: ${name} is not a private key in PEM, or wants a password`,
          'name the key of TLS_CERT_FILE, unencrypted and readable by the daemon only',
        )
      : fault(
          `${variable}: ${name} holds no certificates in PEM`,
          'name a file with -----BEGIN CERTIFICATE-----',
        );
  }
}

/** When the certificate ends, if it can be used with this key now. */
function checkPair(cert: Buffer, key: Buffer, names: TlsFileNames, nowMs: number): Outcome<number> {
  // The first of the chain is our own.
  const own = new X509Certificate(cert);
  const endsAtMs = Date.parse(own.validTo);
  if (!own.checkPrivateKey(createPrivateKey(key))) {
    return fault(
      `TLS_KEY_FILE: ${names.key ?? ''} is not the key of the first certificate in TLS_CERT_FILE`,
      'give the certificate and the key that were made together, your own certificate first',
    );
  }
  if (endsAtMs <= nowMs) {
    return fault(
      `TLS_CERT_FILE: the certificate ended at ${new Date(endsAtMs).toISOString()}`,
      'renew it; a renewed file is taken up without a restart once walletd runs',
    );
  }
  if (Date.parse(own.validFrom) > nowMs) {
    return fault(
      `TLS_CERT_FILE: the certificate begins at ${new Date(own.validFrom).toISOString()} only`,
      'check the clock of this machine, or wait',
    );
  }
  return { ok: true, value: endsAtMs };
}

function isSame(a: Contents, b: Contents): boolean {
  const pems = (c: Contents) => [c.server?.clientCa, c.peer.rootCerts, c.peer.key, c.peer.cert];
  return pems(a).every((pem, i) => String(pem) === String(pems(b)[i]));
}

const fault = (what: string, hint: string): Outcome<never> => ({
  ok: false,
  fault: { fault: what, hint },
});
