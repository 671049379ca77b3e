import { randomBytes } from 'node:crypto';
import { chown, mkdir, readdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';

import { quoteForShell } from '../../core/shell-word.ts';
import { adminRole } from './admin-client.ts';
import { withInitdb, type Binaries } from './binaries.ts';
import { type DataPaths } from './data-dir.ts';
import { readIfPresent, removeTree, syncFolder, writeFileSynced } from '../../lib/files.ts';
import { codeOf } from '../../lib/error-code.ts';
import { fail, succeed, type Outcome } from '../fault.ts';
import { explainOutput, lastLines } from './explain.ts';
import { runToEnd, type RunAs } from './run.ts';
import { socketPort } from './socket-dir.ts';

const initTimeoutMs = 300_000;

/**
 * Whether a cluster exists. Fails if these binaries or this user cannot run it: another major
 * version, another owner, or a folder without Postgres data.
 */
export async function inspectCluster(
  { root, pgData }: DataPaths,
  expected: { readonly majorVersion: number; readonly uid: number; readonly user: string },
): Promise<Outcome<{ readonly exists: boolean }>> {
  const found = await stat(pgData).catch((err: unknown) => {
    if (codeOf(err) === 'ENOENT') return null;
    throw err;
  });
  if (found === null) return succeed({ exists: false });
  const version = (await readIfPresent(path.join(pgData, 'PG_VERSION')))?.trim() ?? '';
  if (!/^\d+$/.test(version)) {
    return fail(
      `The folder ${pgData} has no Postgres data.`,
      'Restore the data from a backup, or rename the folder to start with empty databases.',
    );
  }
  if (Number(version) !== expected.majorVersion) {
    return fail(
      `The data in ${pgData} is of Postgres ${version}, but this walletd brings Postgres ` +
        `${expected.majorVersion}.`,
      `Dump it with the walletd that wrote it (pg_dump of auth, wallet and statement), rename ` +
        `${root}, start this walletd once and restore the dumps; or convert it with pg_upgrade ` +
        `and the binaries of both versions.`,
    );
  }
  if (found.uid !== expected.uid) {
    return fail(
      `The data in ${pgData} belongs to the user with id ${found.uid}, but Postgres runs as ` +
        `${expected.user} (id ${expected.uid}).`,
      `If no Postgres uses it: chown -R ${expected.uid} ${quoteForShell(pgData)}`,
    );
  }
  return succeed({ exists: true });
}

/** Removes temporary files and folders of starts that were killed. */
export async function removeLeftovers({ root }: DataPaths): Promise<void> {
  for (const name of await readdir(root)) {
    const isLeft = name.startsWith('postgres.init-') || /^\.embedded\.json\..*\.tmp$/.test(name);
    if (isLeft) await removeTree(path.join(root, name));
  }
}

/**
 * Creates the cluster in a temporary folder and renames it once complete, so that a cluster is
 * complete or absent. The superuser's password is passed in a file that only Postgres' user can
 * read.
 */
export async function createCluster(
  { root, pgData }: DataPaths,
  binaries: Binaries,
  runAs: RunAs | null,
  adminPassword: string,
  signal: AbortSignal | undefined,
): Promise<Outcome<null>> {
  const temp = path.join(root, `postgres.init-${randomBytes(4).toString('hex')}`);
  const data = path.join(temp, 'data');
  const passwordFile = path.join(temp, 'password');
  await mkdir(temp, { mode: 0o700 });
  try {
    await writeFileSynced(passwordFile, adminPassword);
    if (runAs !== null) {
      await chown(passwordFile, runAs.uid, runAs.gid);
      await chown(temp, runAs.uid, runAs.gid);
    }
    const args = [
      `--pgdata=${data}`,
      `--username=${adminRole}`,
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      '--locale=C',
      '--auth=scram-sha-256',
      '--no-instructions',
    ];
    const options = { runAs, timeoutMs: initTimeoutMs, signal };
    const { code, output, startError } = await withInitdb(binaries, runAs, (initdb) =>
      runToEnd(initdb, args, options),
    );
    signal?.throwIfAborted();
    if (code !== 0) {
      return explainOutput(
        `The database could not be created in ${root}.`,
        // On an error initdb quotes its statement, and one of them sets the password.
        lastLines(startError?.message ?? output).replaceAll(adminPassword, '***'),
        'Correct what initdb reports above, and start again.',
      );
    }
    await rename(data, pgData);
    await syncFolder(root);
    return succeed(null);
  } finally {
    await removeTree(temp);
  }
}

/**
 * The server's command line. Settings on it override ALTER SYSTEM and the files in the data folder,
 * and walletd need not write to a folder of another user.
 */
export function formatServerArgs(input: {
  readonly pgData: string;
  readonly socketDir: string;
  readonly lz4: boolean;
  /** What this machine or container may use. */
  readonly memoryBytes: number;
  readonly extraSettings: Readonly<Record<string, string>>;
}): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '',
    port: String(socketPort),
    unix_socket_directories: `"${input.socketDir.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    password_encryption: 'scram-sha-256',
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    max_connections: '100',
    shared_buffers: `${sharedBuffersMebibytes(input.memoryBytes)}MB`,
    // Each page is logged whole when it is first changed after a checkpoint, so a checkpoint every
    // few seconds, which 2GB are under a full load, costs more than the disk that it saves.
    max_wal_size: '4GB',
    // A backup that hangs (a network disk) must not fill the disk of the data: it is ended instead.
    max_slot_wal_keep_size: '8GB',
    ...(input.lz4 ? { wal_compression: 'lz4' } : {}),
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    logging_collector: 'off',
    log_destination: 'stderr',
    log_line_prefix: '%m [%p] %d ',
    // Statements and details of errors would carry users' data into the log.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    ...input.extraSettings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-D', input.pgData, ...flags];
}

/**
 * An eighth of the memory: half of what PostgreSQL's manual names for a machine that does nothing
 * else. At least 128 MiB; at most 4 GiB, enough for the indexes of twenty million transactions
 * (180 bytes for each).
 */
export function sharedBuffersMebibytes(memoryBytes: number): number {
  const eighth = Math.floor(memoryBytes / 8 / (1024 * 1024));
  return Math.min(4096, Math.max(128, eighth));
}

/** Whether these binaries can compress WAL with lz4; not all platforms' can. */
export async function supportsLz4(
  { postgres }: Binaries,
  pgData: string,
  runAs: RunAs | null,
): Promise<boolean> {
  const args = ['-D', pgData, '-c', 'wal_compression=lz4', '-C', 'wal_compression'];
  const { code, output } = await runToEnd(postgres, args, { runAs, timeoutMs: 30_000 });
  return code === 0 && output.includes('lz4');
}
