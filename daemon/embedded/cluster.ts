import { randomBytes } from 'node:crypto';
import { chown, mkdir, readdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';

import { adminRole } from './admin-client.ts';
import { type Binaries } from './binaries.ts';
import { type DataPaths } from './data-dir.ts';
import { readIfPresent, removeTree, syncFolder, writeFileSynced } from './files.ts';
import { codeOf, explainOutput, fail, lastLines, succeed, type Result } from './result.ts';
import { runToEnd, type RunAs } from './run.ts';
import { socketPort } from './socket-dir.ts';

const initTimeoutMs = 300_000;

/**
 * Whether a cluster is there; fails if it is one that our binaries or our user cannot run:
 * another major version, another owner, or no cluster at all.
 */
export async function inspectCluster(
  { root, pgData }: DataPaths,
  expected: { readonly majorVersion: number; readonly uid: number; readonly user: string },
): Promise<Result<{ readonly exists: boolean }>> {
  const found = await stat(pgData).catch((err: unknown) => {
    if (codeOf(err) === 'ENOENT') return null;
    throw err;
  });
  if (found === null) return succeed({ exists: false });
  const version = (await readIfPresent(path.join(pgData, 'PG_VERSION')))?.trim() ?? '';
  if (!/^\d+$/.test(version)) {
    return fail(
      `The folder ${pgData} holds no Postgres data.`,
      'Put the data back from a backup, or move the folder away to begin anew.',
    );
  }
  if (Number(version) !== expected.majorVersion) {
    return fail(
      `The data in ${pgData} is of Postgres ${version}, but this walletd brings Postgres ` +
        `${expected.majorVersion}.`,
      `Dump it with the walletd that wrote it (pg_dump of auth, wallet and statement), move ` +
        `${root} away, start this walletd once and restore the dumps; or convert it with ` +
        `pg_upgrade and the binaries of both versions.`,
    );
  }
  if (found.uid !== expected.uid) {
    return fail(
      `The data in ${pgData} belongs to the user with id ${found.uid}, but Postgres runs as ` +
        `${expected.user} (id ${expected.uid}).`,
      `If no Postgres uses it: chown -R ${expected.uid} ${pgData}`,
    );
  }
  return succeed({ exists: true });
}

/** Removes what starts that were cut short left behind. */
export async function removeLeftovers({ root }: DataPaths): Promise<void> {
  for (const name of await readdir(root)) {
    const isLeft = name.startsWith('postgres.init-') || /^embedded\.json\.tmp-/.test(name);
    if (isLeft) await removeTree(path.join(root, name));
  }
}

/**
 * Creates the cluster in a folder beside and renames it once complete, so that a cluster is whole
 * or absent. The superuser's password travels in a file that only Postgres' user can read.
 */
export async function createCluster(
  { root, pgData }: DataPaths,
  { initdb }: Binaries,
  runAs: RunAs | null,
  adminPassword: string,
  signal: AbortSignal | undefined,
): Promise<Result<null>> {
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
    const { code, output, startError } = await runToEnd(initdb, args, {
      runAs,
      timeoutMs: initTimeoutMs,
      signal,
    });
    signal?.throwIfAborted();
    if (code !== 0) {
      return explainOutput(
        `The database could not be created in ${root}.`,
        // On an error initdb quotes its statement, and one of them sets the password.
        lastLines(startError?.message ?? output).replaceAll(adminPassword, '***'),
        'See above for what initdb could not do.',
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
 * The server's command line. Settings stand here, where neither ALTER SYSTEM nor the files in the
 * data folder can change them, and nothing needs to be written there by another user.
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
 * else. At least 128 MiB; at most 4 GiB, which hold the indexes of some twenty million transactions
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
