import { constants } from 'node:fs';
import { lstat, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { syncFolder } from '../../lib/files.ts';
import { fail, succeed, type Failed, type Outcome } from '../outcome.ts';
import { makePrivateDir, reserveFile, writePrivateFile } from '../files/files.ts';
import { tryStorage } from '../files/storage-failure.ts';
import type { SecretStorage } from './storage.ts';

/**
 * Secrets in files that only their owner can read, for machines without a keychain. What someone
 * else could have put there or could read is refused: links, foreign owners, open permissions.
 */
export function openInsecureFiles(dir: string): SecretStorage {
  const pathOf = (account: string): string => join(dir, `${encodeURIComponent(account)}.json`);
  return {
    kind: 'file',
    load: async (account) => {
      const folder = await checkDir(dir);
      return folder.ok && folder.value
        ? readChecked(pathOf(account))
        : folder.ok
          ? succeed(undefined)
          : folder;
    },
    save: async (account, secret) => {
      const checked = await checkPlace(dir, pathOf(account));
      return checked.ok ? writePrivateFile(pathOf(account), `${secret}\n`) : checked;
    },
    reserve: async (account, current = '') => {
      const checked = await checkPlace(dir, pathOf(account));
      if (!checked.ok) return checked;
      return reserveFile(pathOf(account), Buffer.byteLength(current) + spareBytes);
    },
    remove: (account) =>
      tryStorage(
        pathOf(account),
        '',
        async () => {
          await rm(pathOf(account), { force: true });
          await syncFolder(dir).catch(() => undefined);
          return undefined;
        },
        'remove',
      ),
  };
}

/** How much longer than the tokens of now those of later may be. */
const spareBytes = 4_096;

/** That nobody else has put anything where a secret is to be written. */
async function checkPlace(dir: string, path: string): Promise<Outcome<undefined>> {
  const made = await makePrivateDir(dir);
  if (!made.ok) return made;
  const folder = await checkDir(dir);
  if (!folder.ok) return folder;
  const existing = await readChecked(path);
  return existing.ok ? succeed(undefined) : existing;
}

/** True if the folder is there and private, false if it is not there. */
async function checkDir(dir: string): Promise<Outcome<boolean>> {
  const stats = await lstat(dir).catch(() => undefined);
  if (!stats) return succeed(false);
  if (!stats.isDirectory()) return refuse(dir, 'is not a folder');
  const problem = findProblem(stats);
  return problem === undefined ? succeed(true) : refuse(dir, problem, 'chmod 700');
}

async function readChecked(path: string): Promise<Outcome<string | undefined>> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return succeed(undefined);
    return refuse(
      path,
      code === 'ELOOP' ? 'is a symbolic link' : `cannot be opened (${code ?? ''})`,
    );
  }
  try {
    // Of the file that is open, not of the name: a name can be swapped between two looks.
    const stats = await file.stat();
    if (!stats.isFile()) return refuse(path, 'is not a regular file');
    if (stats.nlink !== 1) return refuse(path, 'has a second name (a hard link)');
    const problem = findProblem(stats);
    if (problem !== undefined) return refuse(path, problem, 'chmod 600');
    return succeed((await file.readFile('utf8')).trimEnd());
  } finally {
    await file.close();
  }
}

function findProblem(stats: { readonly uid: number; readonly mode: number }): string | undefined {
  const ownUid = process.getuid?.();
  if (ownUid === undefined) return undefined;
  if (stats.uid !== ownUid) return 'belongs to another user';
  return (stats.mode & 0o077) === 0 ? undefined : 'can be read by others';
}

function refuse(path: string, problem: string, command?: string): Failed {
  return fail('CREDENTIAL_FILE_UNSAFE', `${path} ${problem}, so it is not used`, {
    hint:
      command === undefined
        ? `look who made it, remove it, then: wallet sign-in --insecure-storage`
        : `${command} ${path}; if others had access, also: wallet sign-out, and sign in again`,
  });
}
