import { chmod, lstat, mkdir, readdir, realpath, rmdir } from 'node:fs/promises';
import path from 'node:path';

import { quoteForShell } from '../../../core/shell-word.ts';
import { codeOf } from '../../../lib/error-code.ts';
import { removeTree, syncFolder } from '../../../lib/files.ts';
import { fail, succeed, type Failure, type Outcome } from '../../fault.ts';

/** A private, empty folder for a backup. */
export type Target = {
  readonly folder: string;
  /** Removes what was written, and the folder unless it was there before. */
  discard(): Promise<void>;
};

/**
 * Creates the folder for a backup, or takes an empty one that only this user can write to. Never a
 * link, never in the data folder, and never one with content. Rejects with the error of the file
 * system.
 */
export async function openTarget(
  out: string,
  dataDir: string,
  uid: number,
): Promise<Outcome<Target>> {
  const asked = path.resolve(out);
  if (/\p{Cc}/u.test(asked)) {
    return fail(`The path ${JSON.stringify(asked)} has a control character.`, otherName);
  }
  const parent = await realpath(path.dirname(asked)).catch((err: unknown) => {
    if (codeOf(err) === 'ENOENT' || codeOf(err) === 'ENOTDIR') return undefined;
    throw err;
  });
  if (parent === undefined) {
    const missing = path.dirname(asked);
    return fail(
      `There is no folder ${missing} for the backup.`,
      `Create it (mkdir -p ${quoteForShell(missing)}), or name another place with --out.`,
    );
  }
  const folder = path.join(parent, path.basename(asked));
  if (`${folder}/`.startsWith(`${dataDir}/`)) {
    return fail(
      `The backup ${folder} would be in the data folder itself.`,
      'Name a place on another disk with --out.',
    );
  }
  const isNew = await makeFolder(folder);
  const fault = isNew ? undefined : await findFault(folder, uid);
  if (fault) return fault;
  await chmod(folder, 0o700);
  await syncFolder(parent);
  return succeed({ folder, discard: () => discard(folder, isNew) });
}

async function makeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return true;
  } catch (err) {
    if (codeOf(err) === 'EEXIST') return false;
    throw err;
  }
}

async function findFault(folder: string, uid: number): Promise<Failure | undefined> {
  const stats = await lstat(folder);
  if (stats.isSymbolicLink()) return fail(`${folder} is a link.`, otherName);
  if (!stats.isDirectory()) return fail(`${folder} is there already.`, otherName);
  if (stats.uid !== uid || (stats.mode & 0o022) !== 0) {
    return fail(`Other users can write to the folder ${folder}.`, otherName);
  }
  const [first] = (await readdir(folder)).filter((name) => name !== 'lost+found');
  if (first === undefined) return undefined;
  return fail(
    `The folder ${folder} is not empty: it has ${JSON.stringify(first)}.`,
    `A backup replaces nothing. ${otherName}`,
  );
}

const otherName = 'Name a folder that does not exist yet with --out.';

async function discard(folder: string, isNew: boolean): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (name !== 'lost+found') await removeTree(path.join(folder, name));
  }
  if (isNew) await rmdir(folder).catch(() => undefined);
}
