import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { z } from 'zod';

import { readIfPresent, writeFileAtomic } from '../../lib/files.ts';
import { fail, succeed, type Failure, type Outcome } from '../fault.ts';

const secret = z.string().min(43);
const rolePasswords = z.object({ owner: secret, runtime: secret });

const secretsSchema = z.object({
  majorVersion: z.number().int(),
  socketDir: z.string().nullable(),
  adminPassword: secret,
  passwords: z.object({ auth: rolePasswords, wallet: rolePasswords, statement: rolePasswords }),
});

/** The content of embedded.json: all passwords, and the folder of the socket. */
export type Secrets = Readonly<z.infer<typeof secretsSchema>>;

/** Reads embedded.json; null if there is none. Fails if it is damaged. */
export async function readSecrets(file: string): Promise<Outcome<Secrets | null>> {
  const text = await readIfPresent(file);
  if (text === null) return succeed(null);
  try {
    return succeed(secretsSchema.parse(JSON.parse(text)));
  } catch {
    return fail(`The file ${file} is damaged: it has no valid passwords.`, lostHint);
  }
}

/**
 * Reads the passwords, or generates them for a new cluster. Fails if a cluster exists without its
 * passwords.
 */
export async function ensureSecrets(
  file: string,
  options: { readonly clusterExists: boolean; readonly majorVersion: number },
): Promise<Outcome<Secrets>> {
  const read = await readSecrets(file);
  if (!read.ok) return read;
  if (read.value !== null) {
    await chmod(file, 0o600);
    return succeed(read.value);
  }
  if (options.clusterExists) {
    return failLostSecrets(file);
  }
  const made: Secrets = {
    majorVersion: options.majorVersion,
    socketDir: null,
    adminPassword: makePassword(),
    passwords: { auth: makePair(), wallet: makePair(), statement: makePair() },
  };
  await saveSecrets(file, made);
  return succeed(made);
}

export async function saveSecrets(file: string, secrets: Secrets): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify(secrets, null, 2)}\n`);
}

/** A cluster without its passwords. */
export const failLostSecrets = (file: string): Failure =>
  fail(`The file ${file} with the passwords of the database is missing.`, lostHint);

const lostHint =
  'Restore it from a backup. Without one, set new passwords with ' +
  '`postgres --single` on the data folder, as the manual of Postgres describes.';

function makePair(): { owner: string; runtime: string } {
  return { owner: makePassword(), runtime: makePassword() };
}

function makePassword(): string {
  return randomBytes(32).toString('base64url');
}
