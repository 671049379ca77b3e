import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { z } from 'zod';

import { readIfPresent, writeFileAtomic } from './files.ts';
import { fail, succeed, type Result } from './result.ts';

export const serviceNames = ['auth', 'wallet', 'statement'] as const;
export type ServiceName = (typeof serviceNames)[number];

const secret = z.string().min(43);
const rolePasswords = z.object({ owner: secret, runtime: secret });

const secretsSchema = z.object({
  majorVersion: z.number().int(),
  socketDir: z.string().nullable(),
  adminPassword: secret,
  passwords: z.object({ auth: rolePasswords, wallet: rolePasswords, statement: rolePasswords }),
});

/** What embedded.json keeps: all passwords, and where the socket is. */
export type Secrets = Readonly<z.infer<typeof secretsSchema>>;

/** Reads embedded.json; null if there is none. Fails if it is damaged. */
export async function readSecrets(file: string): Promise<Result<Secrets | null>> {
  const text = await readIfPresent(file);
  if (text === null) return succeed(null);
  try {
    return succeed(secretsSchema.parse(JSON.parse(text)));
  } catch {
    return fail(`The file ${file} is damaged: it has no passwords in it.`, lostHint);
  }
}

/**
 * Reads the passwords, or makes them for a cluster that is yet to be created. Fails if a cluster
 * exists whose passwords are gone.
 */
export async function ensureSecrets(
  file: string,
  options: { readonly clusterExists: boolean; readonly majorVersion: number },
): Promise<Result<Secrets>> {
  const read = await readSecrets(file);
  if (!read.ok) return read;
  if (read.value !== null) {
    await chmod(file, 0o600);
    return succeed(read.value);
  }
  if (options.clusterExists) {
    return fail(`The file ${file} with the passwords of the database is gone.`, lostHint);
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

const lostHint =
  'Put it back from a backup. Without one, set new passwords with ' +
  '`postgres --single` on the data folder, as the manual of Postgres describes.';

function makePair(): { owner: string; runtime: string } {
  return { owner: makePassword(), runtime: makePassword() };
}

function makePassword(): string {
  return randomBytes(32).toString('base64url');
}
