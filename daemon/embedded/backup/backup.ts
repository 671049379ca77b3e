import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';

import { syncFolder } from '../../../lib/files.ts';
import { sleepUnlessAborted } from '../../platform/concurrency/abort.ts';
import { fail, succeed, type Failure, type Outcome } from '../../fault.ts';
import { pathsIn, type DataPaths } from '../data-dir.ts';
import { readSecrets } from '../secrets.ts';
import { withBackupMode, type BackupEnd, type BackupMode } from './backup-mode.ts';
import { copyFile, copyUnchanged, forEachAtOnce, writeNew } from './copy.ts';
import type { CopyOptions, NotCopied, Written } from './copy.ts';
import { explainBackupError } from './explain.ts';
import { writeManifest, type Manifest } from './manifest.ts';
import { openTarget } from './target.ts';
import { isLeftOutOfCluster, isLeftOutOfDataDir, listTree, type Tree } from './tree.ts';
import { listSegments, nextSegment } from './wal.ts';

export type Progress = { readonly bytes: number; readonly total: number };

export type BackupOptions = {
  /** The data folder of a running server. */
  readonly dataDir: string;
  readonly out: string;
  /** Version of this walletd. */
  readonly walletd: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
};

/** A complete backup. */
export type Backup = {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
  readonly manifest: Manifest;
};

const walEveryMs = 500;
const controlFile = 'global/pg_control';

/**
 * Copies the cluster of a running server and the secrets beside it, while transactions go on: a
 * physical base backup by the functions of the server, with the WAL that makes it consistent. It
 * contains what was committed before its end. Fails, and leaves nothing behind, where the place or
 * a file does not allow it; rejects where the signal is aborted.
 */
export async function backupCluster(options: BackupOptions): Promise<Outcome<Backup>> {
  const paths = pathsIn(options.dataDir);
  try {
    const secrets = await readSecrets(paths.secretsFile);
    if (!secrets.ok) return secrets;
    const { socketDir = null, adminPassword = '' } = secrets.value ?? {};
    if (socketDir === null) return fail(`${paths.secretsFile} names no socket.`, startHint);
    const target = await openTarget(options.out, paths.root, process.geteuid?.() ?? -1);
    if (!target.ok) return target;
    const { folder, discard } = target.value;
    try {
      const access = { socketDir, password: adminPassword };
      const done = await withBackupMode(access, options.signal, (mode) =>
        fillFolder(options, paths, folder, mode),
      );
      if (!done.ok) await discard();
      else await complete(folder, done.value);
      return done;
    } catch (err) {
      await discard();
      throw err;
    }
  } catch (err) {
    options.signal.throwIfAborted();
    const explained = explainBackupError(err, `The backup ${path.resolve(options.out)} failed`);
    if (explained === undefined) throw err;
    return explained;
  }
}

const startHint = 'Start walletd once, and run the command again.';

async function fillFolder(
  options: BackupOptions,
  paths: DataPaths,
  folder: string,
  mode: BackupMode,
): Promise<Outcome<Backup>> {
  const copier = createCopier(folder, options);
  const own = await copyOwnFiles(paths, copier);
  if (own) return own;
  const tree = await listTree(paths.pgData, isLeftOutOfCluster);
  const [other] = tree.others;
  if (other !== undefined) return refuseFile(path.join(paths.pgData, other), 'foreign');
  const copied = await copyCluster(paths, tree, mode, copier);
  if (!copied.ok) return copied;
  const { end, wal } = copied.value;
  if (end.tablespaces !== '') {
    return fail('The cluster has tablespaces outside its folder.', tablespaceHint);
  }
  await copier.write('postgres/backup_label', Buffer.from(end.label));
  const left = listSegments(wal, end.lastSegment, mode.segmentBytes);
  const lost = await copier.copyAll(paths.pgData, left.map(walPath));
  if (lost) return lost;
  const folders = ['postgres', ...tree.folders.map((at) => `postgres/${at}`)];
  const files = copier.list();
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const manifest: Manifest = {
    format: 1,
    walletd: options.walletd,
    ...{ postgres: mode.postgres, majorVersion: Number.parseInt(mode.postgres, 10) },
    ...{ platform: `${process.platform}-${process.arch}`, systemId: mode.systemId },
    ...{ startedAt: mode.startedAt.toISOString(), endedAt: end.endedAt.toISOString() },
    ...{ startLsn: mode.startLsn, stopLsn: end.stopLsn, folders, files },
  };
  return succeed({ folder, files: files.length, bytes, manifest });
}

const tablespaceHint =
  'Stop walletd and copy the data folder and the tablespaces with tar, keeping owners.';

/** After everything else is on the disk: the manifest. */
async function complete(folder: string, { manifest }: Backup): Promise<void> {
  for (const at of [...manifest.folders].reverse()) await syncFolder(path.join(folder, at));
  await syncFolder(folder);
  await writeManifest(folder, manifest);
}

type Copier = ReturnType<typeof createCopier>;

/** Copies files into the backup, and keeps the list of what it wrote. */
function createCopier(folder: string, { signal, onProgress }: BackupOptions) {
  const written = new Map<string, Written>();
  const progress = { bytes: 0, total: 0 };
  const onBytes = (bytes: number): void => {
    progress.bytes += bytes;
    if (progress.total === 0) return;
    onProgress({ bytes: progress.bytes, total: Math.max(progress.total, progress.bytes) });
  };
  let owners: readonly number[] = [];
  const copy = async (
    copying: typeof copyFile,
    from: string,
    to: string,
    stop: AbortSignal,
  ): Promise<NotCopied | undefined> => {
    const options: CopyOptions = { owners, signal: stop, onBytes };
    const done = await copying(from, path.join(folder, to), options);
    if (typeof done === 'string') return done;
    written.set(to, done);
    return undefined;
  };
  const copyEach = async (
    root: string,
    files: readonly string[],
    stop: AbortSignal,
    canBeGone: boolean,
  ): Promise<Failure | undefined> => {
    let failure: Failure | undefined;
    await forEachAtOnce(files, async (at) => {
      if (failure) return;
      const copying = at === controlFile ? copyUnchanged : copyFile;
      const not = await copy(copying, path.join(root, at), `postgres/${at}`, stop);
      if (not === 'foreign' || (not === 'gone' && !canBeGone)) {
        failure = refuseFile(path.join(root, at), not);
      }
    });
    return failure;
  };
  return {
    expect: (total: number): void => void (progress.total = total),
    readFilesOf: (uids: readonly number[]): void => void (owners = uids),
    copyOne: (from: string, to: string) => copy(copyFile, from, to, signal),
    /** Files of the cluster; a table may be dropped meanwhile. */
    copyLive: (root: string, files: readonly string[], stop: AbortSignal) =>
      copyEach(root, files, AbortSignal.any([signal, stop]), true),
    /** Files of the cluster that must be there. */
    copyAll: (root: string, files: readonly string[]) => copyEach(root, files, signal, false),
    makeFolder: (at: string) => mkdir(path.join(folder, at), { mode: 0o700 }),
    write: async (at: string, content: Buffer): Promise<void> => {
      written.set(at, await writeNew(path.join(folder, at), content, { onBytes }));
    },
    list: (): Manifest['files'] =>
      [...written]
        .map(([at, { bytes, sha256 }]) => ({ path: at, bytes, sha256 }))
        .sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

/** Passwords and keys beside the cluster. */
async function copyOwnFiles({ root }: DataPaths, copier: Copier): Promise<Failure | undefined> {
  copier.readFilesOf([process.geteuid?.() ?? -1]);
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (entry.isDirectory() || isLeftOutOfDataDir(entry.name)) continue;
    const from = path.join(root, entry.name);
    const not = await copier.copyOne(from, entry.name);
    if (not === 'foreign') return refuseFile(from, not);
  }
  return undefined;
}

/**
 * Copies the cluster, and meanwhile the WAL that is complete, so that the server need not keep it
 * until the end. `wal` is the first segment that is still to be copied.
 */
async function copyCluster(
  { pgData }: DataPaths,
  tree: Tree,
  mode: BackupMode,
  copier: Copier,
): Promise<Outcome<{ readonly end: BackupEnd; readonly wal: string }>> {
  copier.readFilesOf([(await stat(pgData)).uid]);
  copier.expect(tree.files.reduce((sum, file) => sum + file.bytes, 0));
  for (const at of ['', ...tree.folders]) await copier.makeFolder(path.posix.join('postgres', at));
  const ended = new AbortController();
  const failed = new AbortController();
  const following = followWal(pgData, mode, copier, ended.signal).catch((err: unknown) => {
    failed.abort(err);
    return undefined;
  });
  const rest = tree.files.map((file) => file.path).filter((at) => at !== controlFile);
  const copied = await copier.copyLive(pgData, rest, failed.signal).finally(async () => {
    ended.abort();
    await following;
  });
  failed.signal.throwIfAborted();
  const wal = await following;
  if (copied) return copied;
  if (wal === undefined || !wal.ok) return wal ?? fail('WAL was not copied.', startHint);
  const last = await copier.copyAll(pgData, [controlFile]);
  if (last) return last;
  return succeed({ end: await mode.stop(), wal: wal.value });
}

async function followWal(
  pgData: string,
  mode: BackupMode,
  copier: Copier,
  ended: AbortSignal,
): Promise<Outcome<string>> {
  let next = mode.firstSegment;
  while (!ended.aborted) {
    await sleepUnlessAborted(walEveryMs, ended);
    const current = await mode.findCurrentSegment();
    const complete = listSegments(next, current, mode.segmentBytes).slice(0, -1);
    const last = complete.at(-1);
    if (last === undefined) continue;
    const failure = await copier.copyAll(pgData, complete.map(walPath));
    if (failure) return failure;
    next = nextSegment(last, mode.segmentBytes);
    await mode.releaseBefore(next);
  }
  return succeed(next);
}

const walPath = (segment: string): string => `pg_wal/${segment}`;

function refuseFile(file: string, why: NotCopied): Failure {
  return why === 'gone'
    ? fail(`${file} has disappeared.`, 'Run the command again; see postgres.log beside the data.')
    : fail(
        `${file} is a link, or belongs to another user than its folder: it is not backed up.`,
        'Remove it, or stop walletd and copy the data folder with tar, keeping owners.',
      );
}
