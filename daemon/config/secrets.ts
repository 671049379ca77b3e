import { createPrivateKey, randomBytes, type KeyObject } from 'node:crypto';
import { link, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { readPublicKey } from '../../core/checkpoint.ts';
import type { SecretReader } from '../../core/secret-file.ts';
import { createSigningKeys, generateSigningKey } from '../auth/index.ts';
import type { Config } from './config.ts';
import type { Fault, Outcome } from '../fault.ts';
import { findSecretReader } from '../host/account.ts';
import { readSecretText } from '../host/secret-files.ts';

/** The secret that our services show each other; one of this process's own unless it is shared. */
export async function readServiceCredential(config: Config): Promise<Outcome<string>> {
  const file = config.serviceCredentialFile;
  if (file === undefined) return { ok: true, value: randomBytes(32).toString('base64url') };
  const text = await readSecret('WALLETD_SERVICE_CREDENTIAL_FILE', file, config);
  if (!text.ok) return text;
  const secret = text.value.trim();
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
    const fault = await createOwnKey(file);
    if (fault) return { ok: false, fault };
  }
  return readSecret('AUTH_SIGNING_KEY_FILE', file, config);
}

/**
 * The key that signed tokens before, or after, the one that does now; undefined if there is none.
 */
export async function readPreviousKey(config: Config): Promise<Outcome<string | undefined>> {
  const file = config.previousKeyFile;
  if (file === undefined) return { ok: true, value: undefined };
  return readSecret('AUTH_PREVIOUS_KEY_FILE', file, config);
}

/**
 * The key that signs checkpoints: the one configured, or one of our own beside the embedded data;
 * undefined where there is neither. A command does not make one: it may run as another user.
 */
export async function readCheckpointKey(
  config: Config,
  dataDir: string | undefined,
  { isMade = true } = {},
): Promise<Outcome<CheckpointKey | undefined>> {
  const file = config.checkpointKeyFile ?? (dataDir && join(dataDir, 'checkpoint-key.pem'));
  if (file === undefined) return { ok: true, value: undefined };
  if (isMade && config.checkpointKeyFile === undefined) {
    const fault = await createOwnKey(file);
    if (fault) return { ok: false, fault };
  }
  const pem = await readSecret('CHECKPOINT_KEY_FILE', file, config);
  if (!pem.ok) return pem;
  const key = parsePrivateKey(pem.value);
  const publicKey = key && readPublicKey(pem.value);
  if (publicKey) return { ok: true, value: { key, publicKey } };
  const fault = 'CHECKPOINT_KEY_FILE: the file has no private Ed25519 key (PEM)';
  return {
    ok: false,
    fault: { fault, hint: 'make one with `openssl genpkey -algorithm ed25519`' },
  };
}

function parsePrivateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

export type CheckpointKey = { readonly key: KeyObject; readonly publicKey: KeyObject };

const readSecret = async (variable: string, file: string, config: Config) =>
  readSecretText(variable, file, await findSecretReader(config));

/** Why one of the configured files of keys is not used. */
export async function findKeyFileFault(
  config: Config,
  reader: SecretReader,
): Promise<Fault | undefined> {
  const hasAuth = config.services.includes('auth');
  const files = {
    AUTH_SIGNING_KEY_FILE: hasAuth ? config.signingKeyFile : undefined,
    AUTH_PREVIOUS_KEY_FILE: hasAuth ? config.previousKeyFile : undefined,
    WALLETD_SERVICE_CREDENTIAL_FILE: config.serviceCredentialFile,
    CHECKPOINT_KEY_FILE: config.services.includes('wallet') ? config.checkpointKeyFile : undefined,
  };
  for (const [variable, file] of Object.entries(files)) {
    const read = file === undefined ? undefined : await readSecretText(variable, file, reader);
    if (read?.ok === false) return read.fault;
  }
  return undefined;
}

/** Why the configured keys, which can be read, are no keys to sign with. */
export async function findSigningFault(config: Config): Promise<Fault | undefined> {
  if (!config.services.includes('auth') || config.signingKeyFile === undefined) return undefined;
  const key = await readSigningKey(config, undefined);
  const previous = await readPreviousKey(config);
  if (!key.ok || !previous.ok) return undefined;
  const made = await createSigningKeys(key.value, previous.value);
  if (made.ok) return undefined;
  const unfit = keyFault(made.key, made.problem);
  return unfit.ok ? undefined : unfit.fault;
}

/** Why the key that is to be made in the data folder is not there. */
async function createOwnKey(file: string): Promise<Fault | undefined> {
  try {
    await createKeyFile(file);
    return undefined;
  } catch (err) {
    const why = err instanceof Error ? err.message : String(err);
    return {
      fault: `a key cannot be made in the data folder: ${why}`,
      hint: 'see that the disk of the data folder has room and can be written, and start again',
    };
  }
}

/**
 * Makes the key file unless there is one; whole or not at all, whenever the process may end. Drafts
 * that an earlier start left, a full disk or a power cut ended it, are removed.
 */
async function createKeyFile(file: string): Promise<void> {
  const [folder, name] = [dirname(file), basename(file)];
  for (const entry of await readdir(folder)) {
    const isDraft = entry.startsWith(`${name}.`) && /^[0-9a-f]{12}$/.test(entry.slice(-12));
    if (isDraft) await rm(join(folder, entry), { force: true });
  }
  if (await stat(file).catch(() => undefined)) return;
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(draft, generateSigningKey(), { mode: 0o600, flag: 'wx', flush: true });
    await link(draft, file);
  } catch (err) {
    if (!(err instanceof Error && 'code' in err && err.code === 'EEXIST')) throw err;
  } finally {
    await rm(draft, { force: true });
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

/** A key that was read and is none. */
export const keyFault = (key: 'signing' | 'previous', problem: string): Outcome<never> => ({
  ok: false,
  fault:
    key === 'signing'
      ? {
          fault: `AUTH_SIGNING_KEY_FILE: the signing key cannot be used: ${problem}`,
          hint: 'make one with `openssl genpkey -algorithm ed25519`',
        }
      : {
          fault: `AUTH_PREVIOUS_KEY_FILE: the key cannot be used: ${problem}`,
          hint: 'name the key that signed before, or leave the setting out',
        },
});

const explainRead =
  (variable: string) =>
  (err: unknown): Fault => ({
    fault: `${variable}: ${err instanceof Error ? err.message : String(err)}`,
    hint: 'name a file that the daemon may read',
  });
