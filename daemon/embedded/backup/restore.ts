import { randomBytes } from 'node:crypto';
import { chown, mkdir, readdir, rename, rmdir } from 'node:fs/promises';
import path from 'node:path';

import { quoteForShell } from '../../../core/shell-word.ts';
import { acquireFileLock } from '../../../lib/file-lock.ts';
import { removeTree, syncFolder } from '../../../lib/files.ts';
import { fail, type Failure, type Outcome } from '../../fault.ts';
import { locatePackage } from '../binaries.ts';
import { exists, inspectDataDir, openDataDir, type DataPaths } from '../data-dir.ts';
import { type RunAs } from '../run.ts';
import { readSecrets, saveSecrets } from '../secrets.ts';
import type { Progress } from './backup.ts';
import { checkBackup, type CheckedBackup } from './check.ts';
import { copyFile, forEachAtOnce } from './copy.ts';
import { explainBackupError } from './explain.ts';
import { otherBackup, type Manifest } from './manifest.ts';

export type RestoreOptions = {
  readonly from: string;
  /** A folder that does not exist yet, or an empty one. */
  readonly dataDir: string;
  /** The user that Postgres runs as, if it is not the one of this process. */
  readonly runAs: RunAs | null;
  /** Checks the backup and the place, and writes nothing. */
  readonly isDryRun: boolean;
  readonly signal: AbortSignal;
  readonly onCheck: (progress: Progress) => void;
  readonly onCopy: (progress: Progress) => void;
};

/**
 * Checks a backup, and copies it into a data folder of its own, which is complete or refused by a
 * start. No server is started. Fails, with nothing changed, where the backup is not as it was made,
 * where this walletd cannot run it, and where the data folder has content.
 */
export async function restoreCluster(options: RestoreOptions): Promise<Outcome<CheckedBackup>> {
  const dataDir = path.resolve(options.dataDir);
  try {
    const uid = process.geteuid?.() ?? -1;
    const unfit = await findTargetFault(dataDir, uid);
    if (unfit) return unfit;
    const checked = await checkBackup(options.from, options.signal, options.onCheck);
    if (!checked.ok) return checked;
    const foreign = await findVersionFault(checked.value);
    if (foreign) return foreign;
    if (options.isDryRun) return checked;
    const isNew = !(await exists(dataDir));
    const opened = await openDataDir(dataDir, uid);
    if (!opened.ok) return opened;
    const done = await fillDataDir(options, opened.value, checked.value).finally(async () => {
      // Only where nothing was restored is it empty.
      if (isNew) await rmdir(opened.value.root).catch(() => undefined);
    });
    return done ?? checked;
  } catch (err) {
    options.signal.throwIfAborted();
    const explained = explainBackupError(err, `The restore to ${dataDir} failed`);
    if (explained === undefined) throw err;
    return explained;
  }
}

async function findTargetFault(dataDir: string, uid: number): Promise<Failure | undefined> {
  if ((await listContent(dataDir)).length > 0) return refuseContent(dataDir);
  const found = await inspectDataDir(dataDir, uid);
  return found.ok ? undefined : found;
}

/** What is in the data folder, but for what a file system and a lock have in it. */
async function listContent(dataDir: string): Promise<readonly string[]> {
  if (!(await exists(dataDir))) return [];
  const names = await readdir(dataDir);
  return names.filter((name) => !/^(lost\+found|walletd\.lock.*)$/.test(name));
}

async function refuseContent(dataDir: string): Promise<Failure> {
  const [first] = await listContent(dataDir);
  return fail(
    `The data folder ${dataDir} is not empty: it has ${JSON.stringify(first)}.`,
    'A restore replaces nothing. Name a folder that does not exist yet with --data-dir, or ' +
      `rename this one: mv ${quoteForShell(dataDir)} ${quoteForShell(`${dataDir}.old`)}`,
  );
}

async function findVersionFault({ folder, manifest }: CheckedBackup): Promise<Failure | undefined> {
  const source = await locatePackage();
  if (!source.ok) return source;
  const { majorVersion } = source.value;
  if (manifest.majorVersion !== majorVersion) {
    return fail(
      `The backup ${folder} is of Postgres ${manifest.majorVersion}, but this walletd brings ` +
        `Postgres ${majorVersion}.`,
      `Restore it with walletd ${manifest.walletd}, which made it.`,
    );
  }
  const platform = `${process.platform}-${process.arch}`;
  if (manifest.platform === platform) return undefined;
  return fail(
    `The backup ${folder} was made on ${manifest.platform}, and this is ${platform}: a copy of ` +
      'the files of Postgres can be used on the same platform only.',
    `Restore it on ${manifest.platform}.`,
  );
}

/** Undefined once the data folder is complete. */
async function fillDataDir(
  options: RestoreOptions,
  paths: DataPaths,
  backup: CheckedBackup,
): Promise<Failure | undefined> {
  const { root } = paths;
  const acquired = await acquireFileLock(paths.lockFile, { purpose: 'command' });
  if (!acquired.ok) {
    return fail(
      `A walletd (pid ${acquired.holder.pid}) is using the data folder ${root}.`,
      'Stop it first, or name another folder with --data-dir.',
    );
  }
  const temp = path.join(root, `restore.tmp-${randomBytes(4).toString('hex')}`);
  try {
    if ((await listContent(root)).length > 0) return await refuseContent(root);
    await mkdir(temp, { mode: 0o700 });
    const failure = await copyBack(options, backup, temp);
    return failure ?? (await moveIntoPlace(paths, backup.manifest, temp));
  } finally {
    await removeTree(temp);
    await acquired.lock.release();
  }
}

const isOfCluster = (at: string): boolean => at === 'postgres' || at.startsWith('postgres/');

async function copyBack(
  { runAs, signal, onCopy }: RestoreOptions,
  { folder, manifest, bytes: total }: CheckedBackup,
  temp: string,
): Promise<Failure | undefined> {
  for (const at of manifest.folders) await mkdir(path.join(temp, at), { mode: 0o700 });
  let bytes = 0;
  const onBytes = (more: number): void => {
    bytes += more;
    onCopy({ bytes, total });
  };
  let changed: string | undefined;
  await forEachAtOnce(manifest.files, async ({ path: at, sha256 }) => {
    if (changed !== undefined) return;
    const newOwner = isOfCluster(at) && runAs !== null ? runAs : undefined;
    const copying = { owners: 'all', newOwner, signal, onBytes } as const;
    const done = await copyFile(path.join(folder, at), path.join(temp, at), copying);
    if (typeof done === 'string' || done.sha256 !== sha256) changed = at;
  });
  if (changed !== undefined) {
    return fail(`${path.join(folder, changed)} changed while it was read.`, otherBackup);
  }
  // The user of Postgres gets a folder after all that is in it.
  for (const at of [...manifest.folders].reverse()) {
    const made = path.join(temp, at);
    await syncFolder(made);
    if (runAs !== null && isOfCluster(at)) await chown(made, runAs.uid, runAs.gid);
  }
  return undefined;
}

/**
 * `embedded.json` comes last: without it a start refuses the folder. The socket gets a folder of
 * its own, since the server that was backed up may still use that of the backup.
 */
async function moveIntoPlace(
  { root, secretsFile }: DataPaths,
  { files }: Manifest,
  temp: string,
): Promise<Failure | undefined> {
  const own = path.basename(secretsFile);
  const secrets = await readSecrets(path.join(temp, own));
  if (!secrets.ok) return secrets;
  if (secrets.value === null) return fail(`The backup has no ${own}.`, otherBackup);
  await saveSecrets(path.join(temp, own), { ...secrets.value, socketDir: null });
  const others = files.map((file) => file.path).filter((at) => !at.includes('/') && at !== own);
  for (const name of [...others, 'postgres', own]) {
    await rename(path.join(temp, name), path.join(root, name));
    await syncFolder(root);
  }
  return undefined;
}
