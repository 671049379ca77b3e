import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';

import { codeOf } from '../../../lib/error-code.ts';

/** A file below a folder: `postgres/base/5/1259`, with its length when it was listed. */
type TreeFile = { readonly path: string; readonly bytes: number };

export type Tree = {
  /** Each after the one that it is in. */
  readonly folders: readonly string[];
  readonly files: readonly TreeFile[];
  /** What is neither: links, pipes, sockets, devices. */
  readonly others: readonly string[];
};

/**
 * Lists what is below a folder, and follows no link. What disappears meanwhile is left out.
 * `isLeftOut` gets each path, and what it leaves out is not entered.
 */
export async function listTree(
  root: string,
  isLeftOut: (path: string) => boolean = () => false,
): Promise<Tree> {
  const found = { folders: [] as string[], files: [] as TreeFile[], others: [] as string[] };
  const enter = async (folder: string): Promise<void> => {
    for (const entry of await unlessGone(readdir(path.join(root, folder), dirents), [])) {
      const at = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (isLeftOut(at)) continue;
      if (entry.isDirectory()) {
        found.folders.push(at);
        await enter(at);
      } else if (entry.isFile()) {
        const stats = await unlessGone(lstat(path.join(root, at)), null);
        if (stats !== null) found.files.push({ path: at, bytes: stats.size });
      } else {
        found.others.push(at);
      }
    }
  };
  await enter('');
  return found;
}

const dirents = { withFileTypes: true } as const;

async function unlessGone<T, U>(reading: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await reading;
  } catch (err) {
    if (codeOf(err) === 'ENOENT') return otherwise;
    throw err;
  }
}

/** Their content belongs to a running server; it makes new content at each start. */
const emptied =
  /^(pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)\//;

const leftOutFiles =
  /^(postmaster\.(pid|opts)|backup_label(\.old)?|tablespace_map(\.old)?|backup_manifest|.*\.tmp)$/;

/**
 * Whether a path in the cluster's folder is left out of a backup, as the manual of Postgres lists
 * it under "Making a Base Backup Using the Low Level API".
 */
export function isLeftOutOfCluster(at: string): boolean {
  const name = path.posix.basename(at);
  return emptied.test(at) || leftOutFiles.test(at) || /^(pgsql_tmp|pg_internal\.init)/.test(name);
}

/**
 * Whether a name in the data folder, beside the cluster, is left out: what starts make again, and
 * what belongs to a running process.
 */
export const isLeftOutOfDataDir = (name: string): boolean =>
  /^(postgres|walletd\.lock.*|postgres\.(log(\.1)?|init-.*)|bin-.*|restore\.tmp-.*)$/.test(name) ||
  /^(\..*|lost\+found|manifest\.json|.*\.pem\.[0-9a-f]{12})$/.test(name);
