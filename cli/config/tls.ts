import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

import { findSecretProblem } from '../../core/secret-file.ts';
import { fail, succeed, type Failed, type Outcome } from '../outcome.ts';
import type { Settings } from './settings.ts';

/** What a TLS connection is made with, as PEM; absent parts are the system's, or not shown. */
export type TlsFiles = {
  readonly ca: Buffer | null;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
};

type TlsSettings = Pick<Settings, 'tlsCaFile' | 'tlsClient'>;
type TlsKey = 'tls-ca' | 'tls-cert' | 'tls-key';

/**
 * Reads the files that the settings name. CONFIG_INVALID where one cannot be read, is not what it
 * should be, or where the key is not the certificate's: the library would say it late, or not.
 */
export function readTlsFiles({ tlsCaFile, tlsClient }: TlsSettings): Outcome<TlsFiles> {
  const ca = tlsCaFile === undefined ? succeed(null) : readCertificates('tls-ca', tlsCaFile);
  if (!ca.ok) return ca;
  if (!tlsClient) return succeed({ ca: ca.value && ca.value.pem, cert: null, key: null });
  const { certFile, keyFile } = tlsClient;
  const cert = readCertificates('tls-cert', certFile);
  if (!cert.ok) return cert;
  const key = readPem('tls-key', keyFile);
  if (!key.ok) return key;
  const privateKey = parseKey(keyFile, key.value);
  if (!privateKey.ok) return privateKey;
  const unsafe = findKeyProblem(keyFile);
  if (unsafe) return unsafe;
  if (!cert.value.first.checkPrivateKey(privateKey.value)) {
    return refuse('tls-key', `${keyFile} is not the key of the certificate in ${certFile}`);
  }
  return succeed({ ca: ca.value && ca.value.pem, cert: cert.value.pem, key: key.value });
}

function readCertificates(
  field: TlsKey,
  path: string,
): Outcome<{ readonly pem: Buffer; readonly first: X509Certificate }> {
  const pem = readPem(field, path);
  if (!pem.ok) return pem;
  try {
    return succeed({ pem: pem.value, first: new X509Certificate(pem.value) });
  } catch {
    return refuse(field, `${path} holds no certificate in PEM`);
  }
}

function parseKey(path: string, pem: Buffer): Outcome<KeyObject> {
  try {
    return succeed(createPrivateKey(pem));
  } catch {
    // Both kinds of PEM say it in their head, and versions of OpenSSL in different errors.
    const isEncrypted = /ENCRYPTED/.test(pem.toString('latin1'));
    return refuse(
      'tls-key',
      isEncrypted
        ? `${path} is protected by a passphrase, which cannot be asked for here`
        : `${path} holds no private key in PEM`,
    );
  }
}

/** A key that others can read is not this client's alone. */
function findKeyProblem(path: string): Failed | undefined {
  const { geteuid, getegid, getgroups } = process;
  if (!geteuid || !getegid || !getgroups) return undefined;
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const reader = { uids: [0, geteuid()], gids: [getegid(), ...getgroups()] };
    const found = findSecretProblem(path, fstatSync(file), reader);
    if (!found) return undefined;
    const { problem, command } = found;
    const field = 'tls-key';
    return fail('CONFIG_INVALID', `TLS cannot be used: ${path} ${problem}`, {
      field,
      hint: command === undefined ? hints[field] : `run: ${command}`,
    });
  } finally {
    closeSync(file);
  }
}

function readPem(field: TlsKey, path: string): Outcome<Buffer> {
  try {
    return succeed(readFileSync(path));
  } catch (error) {
    return refuse(field, error instanceof Error ? error.message : String(error));
  }
}

const hints: Readonly<Record<TlsKey, string>> = {
  'tls-ca': 'name a PEM file of certificate authorities with --tls-ca',
  'tls-cert': "name a PEM file of this client's certificate with --tls-cert",
  'tls-key': 'name the PEM file of the private key that belongs to --tls-cert with --tls-key',
};

const refuse = (field: TlsKey, problem: string): Failed =>
  fail('CONFIG_INVALID', `TLS cannot be used: ${problem}`, { field, hint: hints[field] });
