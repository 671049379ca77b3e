import { lstat, realpath } from 'node:fs/promises';
import path from 'node:path';

import { codeOf } from '../../../lib/error-code.ts';
import { fail, succeed, type Failure, type Outcome } from '../../fault.ts';
import { digestFile, forEachAtOnce } from './copy.ts';
import { manifestName, otherBackup, readManifest, type Manifest } from './manifest.ts';
import { listTree, type Tree } from './tree.ts';

/** A complete backup, of which each file is as it was written. */
export type CheckedBackup = {
  /** With links on the way to it resolved. */
  readonly folder: string;
  readonly manifest: Manifest;
  readonly bytes: number;
  /** Whether other users of this host can read it, as its modes say. */
  readonly isOpenToOthers: boolean;
};

/**
 * Reads a backup from end to end and compares it with its manifest. Fails with the name of the
 * first file that is missing, changed or additional. Changes nothing.
 */
export async function checkBackup(
  from: string,
  signal: AbortSignal,
  onProgress: (done: { readonly bytes: number; readonly total: number }) => void,
): Promise<Outcome<CheckedBackup>> {
  const found = await findFolder(from);
  if (!found.ok) return found;
  const folder = found.value;
  const tree = await listTree(folder);
  const [link] = tree.others;
  if (link !== undefined) return refuse(folder, link, 'is neither a file nor a folder');
  const read = await readManifest(folder);
  if (!read.ok) return read;
  const manifest = read.value;
  const difference = findDifference(folder, tree, manifest);
  if (difference) return difference;
  const total = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  let bytes = 0;
  let changed: string | undefined;
  await forEachAtOnce(manifest.files, async (file) => {
    if (changed !== undefined) return;
    const now = await digestFile(path.join(folder, file.path), signal);
    bytes += now.bytes;
    if (now.sha256 !== file.sha256) changed = file.path;
    onProgress({ bytes, total });
  });
  if (changed !== undefined) return refuse(folder, changed, 'has been changed');
  const { mode } = await lstat(folder);
  return succeed({ folder, manifest, bytes: total, isOpenToOthers: (mode & 0o077) !== 0 });
}

async function findFolder(from: string): Promise<Outcome<string>> {
  try {
    const folder = await realpath(path.resolve(from));
    if ((await lstat(folder)).isDirectory()) return succeed(folder);
    return fail(`The backup ${folder} is not a folder.`, namesFolder);
  } catch (err) {
    if (codeOf(err) !== 'ENOENT') throw err;
    return fail(`There is no backup ${path.resolve(from)}.`, namesFolder);
  }
}

const namesFolder = 'Name the folder that `walletd backup` wrote with --from.';

/** By names and lengths alone. */
function findDifference(folder: string, tree: Tree, manifest: Manifest): Failure | undefined {
  const expected = new Map(manifest.files.map((file) => [file.path, file.bytes]));
  const present = new Map(tree.files.map((file) => [file.path, file.bytes]));
  const missing = manifest.files.find((file) => !present.has(file.path));
  if (missing) return refuse(folder, missing.path, 'is missing');
  const folders = new Set(manifest.folders);
  const extra =
    tree.folders.find((at) => !folders.has(at)) ??
    tree.files.find(({ path: at }) => !expected.has(at) && at !== manifestName)?.path;
  if (extra !== undefined) return refuse(folder, extra, 'is not a part of it');
  const other = tree.files.find(
    (file) => file.path !== manifestName && expected.get(file.path) !== file.bytes,
  );
  return other && refuse(folder, other.path, 'has been changed');
}

const refuse = (folder: string, name: string, what: string): Failure =>
  fail(`The backup ${folder} is not as it was made: ${JSON.stringify(name)} ${what}.`, otherBackup);
