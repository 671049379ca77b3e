import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { link, lstat, mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { quoteForShell } from '../../core/shell-word.ts';
import { syncFolder, writeFileAtomic, writeFileSynced } from '../../lib/files.ts';
import { failUsage, succeed, type Failed, type Outcome } from '../outcome.ts';
import { notSent, tryStorage } from './storage-failure.ts';

/** A file beyond its name, which can be given to another one. */
export type FileIdentity = { readonly dev: number; readonly ino: number };

/** Makes a folder that only its owner can read, and those above it. */
export function makePrivateDir(dir: string, consequence = ''): Promise<Outcome<undefined>> {
  return tryStorage(dir, consequence, async () => {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    return undefined;
  });
}

/** Replaces a 0600 file atomically, in a folder that is created if absent. */
export async function writePrivateFile(
  path: string,
  text: string,
  consequence = '',
): Promise<Outcome<undefined>> {
  const made = await makePrivateDir(dirname(path), consequence);
  if (!made.ok) return made;
  return tryStorage(path, consequence, async () => {
    await writeFileAtomic(path, text);
    return undefined;
  });
}

/** Room on the disk for what is to become a file. Of the two, one is called, once. */
export type Room = {
  /** Writes the file, into room that is there. */
  commit(text: string): Promise<Outcome<undefined>>;
  release(): Promise<void>;
};

/**
 * Makes room for the next content of a 0600 file: a temporary file beside it that has its size, on
 * the disk. So what cannot be had twice is not spent for a file that cannot be written.
 */
export async function reserveFile(path: string, sizeBytes: number): Promise<Outcome<Room>> {
  const made = await makePrivateDir(dirname(path), notSent);
  if (!made.ok) return made;
  const temp = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
  const written = await tryStorage(path, notSent, () =>
    writeFileSynced(temp, ' '.repeat(sizeBytes)),
  );
  if (!written.ok) return written;
  return succeed({
    commit: (text) => tryStorage(path, '', () => fillAndRename(temp, path, text)),
    release: () => rm(temp, { force: true }),
  });
}

/** The blanks that are left stay: to cut them off could need room again. */
async function fillAndRename(temp: string, path: string, text: string): Promise<undefined> {
  try {
    const file = await open(temp, 'r+');
    try {
      await writeWhole(file, Buffer.from(text), 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temp, path);
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
  await syncFolder(dirname(path)).catch(() => undefined);
  return undefined;
}

/** A disk that is almost full takes a part of what it is given. */
export async function writeWhole(file: FileHandle, data: Buffer, position: number): Promise<void> {
  for (let done = 0; done < data.length;) {
    const { bytesWritten } = await file.write(data, done, data.length - done, position + done);
    done += bytesWritten;
  }
}

/**
 * The text of a file of our own, or undefined if there is none, or its folder cannot be entered.
 * Rejects one that another user could have written. A link is followed: people keep their settings
 * elsewhere.
 */
export async function readTextIfAny(path: string): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || (await isOutOfReach(path))) return undefined;
    throw error;
  }
  try {
    const stats = await file.stat();
    const problem = findOwnerProblem(stats, [0]) ?? findModeProblem(stats, 0o002);
    if (problem) throw new Error(`${path} ${problem.problem}, so it is not used: ${problem.hint}`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** True where this user may not even see whether there is a file: the home of somebody else. */
export async function isOutOfReach(path: string): Promise<boolean> {
  return lstat(path).then(
    () => false,
    (error: unknown) => (error as NodeJS.ErrnoException).code === 'EACCES',
  );
}

export type OwnFile = { readonly file: FileHandle; readonly isNew: boolean };

/**
 * Opens a file that is filled in the course of several runs: a new one (0600), or what an earlier
 * run left. No link is followed, and one that another user made or may write is not used.
 */
export async function openOwnFile(
  path: string,
  field: string,
  { isAppended = false } = {},
): Promise<Outcome<OwnFile>> {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_APPEND } = constants;
  const access = constants.O_RDWR | O_NOFOLLOW | (isAppended ? O_APPEND : 0);
  // It may come or go between the two attempts.
  for (let attempt = 1; ; attempt += 1) {
    try {
      const file = await open(path, access | O_CREAT | O_EXCL, 0o600);
      return succeed({ file, isNew: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    try {
      const file = await open(path, access | O_NONBLOCK);
      const unsafe = await findOpenProblem(file, path);
      if (!unsafe) return succeed({ file, isNew: false });
      await file.close();
      return failUsage(field, `${path} ${unsafe.problem}, so it is not used`, unsafe.hint);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' && attempt < 5) continue;
      if (code === 'ELOOP') return refuseLink(path, field);
      if (code === 'EACCES' || code === 'EISDIR' || code === 'ENXIO') {
        return failUsage(field, `${path} exists and cannot be written`, removeHint(path));
      }
      throw error;
    }
  }
}

const refuseLink = (path: string, field: string): Failed =>
  failUsage(field, `${path} is a symbolic link, so it is not used`, removeHint(path));

type Problem = { readonly problem: string; readonly hint: string };

const removeHint = (path: string): string =>
  `check who created it, then remove it: rm ${quoteForShell(path)}`;

async function findOpenProblem(file: FileHandle, path: string): Promise<Problem | undefined> {
  const stats = await file.stat();
  const hint = removeHint(path);
  if (!stats.isFile()) return { problem: 'is not a regular file', hint };
  if (stats.nlink !== 1) return { problem: 'has a second name (a hard link)', hint };
  const problem = findOwnerProblem(stats, []) ?? findModeProblem(stats, 0o022);
  return problem && { ...problem, hint };
}

function findOwnerProblem(stats: Stats, others: readonly number[]): Problem | undefined {
  const own = process.geteuid?.();
  if (own === undefined || stats.uid === own || others.includes(stats.uid)) return undefined;
  const problem = `belongs to another user (id ${stats.uid})`;
  return { problem, hint: 'check who created it, then remove it' };
}

function findModeProblem(stats: Stats, forbidden: number): Problem | undefined {
  if (process.platform === 'win32' || (stats.mode & forbidden) === 0) return undefined;
  return { problem: 'can be changed by other users', hint: 'run chmod 600 on it' };
}

/** What has a name, link or not; undefined where nothing has. */
export async function lookAt(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Gives a finished file its name. Without `replaced`, a file of that name stays, also one that came
 * a moment ago; otherwise that very file is replaced and no other. False where it stays.
 */
export async function publishFile(
  { file, partial }: { readonly file: FileIdentity; readonly partial: string },
  path: string,
  replaced: FileIdentity | undefined,
): Promise<boolean> {
  const isSame = (found: Stats | undefined, one: FileIdentity): boolean =>
    found !== undefined && found.dev === one.dev && found.ino === one.ino;
  if (!isSame(await lookAt(partial), file)) {
    throw new Error(`${partial} was replaced by another file meanwhile`);
  }
  const found = await lookAt(path);
  if (found) {
    if (!replaced || !isSame(found, replaced)) return false;
    await rename(partial, path);
  } else if (!(await linkAsNew(partial, path))) {
    return false;
  }
  await syncFolder(dirname(path));
  return true;
}

/** A link, unlike a rename, never replaces a file. Not every file system has links. */
async function linkAsNew(partial: string, path: string): Promise<boolean> {
  try {
    await link(partial, path);
    await rm(partial);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code ?? '')) throw error;
  }
  try {
    const place = await open(path, 'wx', 0o600);
    await place.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  await rename(partial, path);
  return true;
}

/** The JSON object in a text, or undefined if it holds anything else. */
export function parseJsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
