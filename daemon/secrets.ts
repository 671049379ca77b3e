import { randomBytes } from 'node:crypto';
import { link, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { generateSigningKey } from './auth/index.ts';
import type { Config } from './config.ts';
import type { Fault, Outcome } from './fault.ts';

/** The secret that our services show each other; one of this process's own unless it is shared. */
export async function readServiceCredential(config: Config): Promise<Outcome<string>> {
  const file = config.serviceCredentialFile;
  if (file === undefined) return { ok: true, value: randomBytes(32).toString('base64url') };
  const text = await readFile(file, 'utf8').catch(explainRead('WALLETD_SERVICE_CREDENTIAL_FILE'));
  if (typeof text !== 'string') return { ok: false, fault: text };
  const secret = text.trim();
  if (secret.length >= 32) return { ok: true, value: secret };
  const fault = 'WALLETD_SERVICE_CREDENTIAL_FILE: the secret is shorter than 32 characters';
  return { ok: false, fault: { fault, hint: 'make one with `openssl rand -base64 32`' } };
}

/** The key that signs tokens: the one configured, or one of our own beside the embedded data. */
export async function readSigningKey(
  config: Config,
  dataDir: string | undefined,
): Promise<Outcome<string>> {
  const file = config.signingKeyFile ?? (dataDir && join(dataDir, 'signing-key.pem'));
  if (file === undefined) throw new Error('no place for a signing key');
  if (config.signingKeyFile === undefined) {
    await createKeyFile(file);
  }
  const pem = await readFile(file, 'utf8').catch(explainRead('AUTH_SIGNING_KEY_FILE'));
  return typeof pem === 'string' ? { ok: true, value: pem } : { ok: false, fault: pem };
}

/** Makes the key file unless there is one; whole or not at all, whenever the process may end. */
async function createKeyFile(file: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, generateSigningKey(), { mode: 0o600, flag: 'wx', flush: true });
  try {
    await link(draft, file);
  } catch (err) {
    if (!(err instanceof Error && 'code' in err && err.code === 'EEXIST')) throw err;
  } finally {
    await unlink(draft);
  }
}

/** The authorities that SMTP_CA_FILE names, as PEM; undefined for the usual ones. */
export async function readSmtpCa(config: Config): Promise<Outcome<string | undefined>> {
  const file = config.smtp?.caFile;
  if (file === undefined) return { ok: true, value: undefined };
  const pem = await readFile(file, 'utf8').catch(explainRead('SMTP_CA_FILE'));
  if (typeof pem !== 'string') return { ok: false, fault: pem };
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return { ok: true, value: pem };
  const fault = 'SMTP_CA_FILE: there is no certificate in it';
  return { ok: false, fault: { fault, hint: 'name a file with certificates in PEM' } };
}

/** A signing key that was read and is none. */
export const keyFault = (problem: string): Outcome<never> => ({
  ok: false,
  fault: {
    fault: `AUTH_SIGNING_KEY_FILE: the signing key cannot be used: ${problem}`,
    hint: 'make one with `openssl genpkey -algorithm ed25519`',
  },
});

const explainRead =
  (variable: string) =>
  (err: unknown): Fault => ({
    fault: `${variable}: ${err instanceof Error ? err.message : String(err)}`,
    hint: 'name a file that the daemon may read',
  });
