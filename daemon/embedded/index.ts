import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { acquireFileLock, readLiveHolder, type LockHolder } from '../../lib/file-lock.ts';
import { untilAborted } from '../platform/concurrency/abort.ts';
import { exists, inspectDataDir, openDataDir, pathsIn, type DataPaths } from './data-dir.ts';
import { superviseServer, type Embedded, type EmbeddedOptions } from './supervise.ts';
import { readyTimeoutMs } from './start-server.ts';
import { fail, succeed, type Failure, type Outcome } from '../fault.ts';
import { explainFolderError, noDatabaseHint } from './explain.ts';
import { checkDatabases, describeDatabases } from './roles.ts';
import { readSecrets } from './secrets.ts';

export { defaultDataDir } from './data-dir.ts';
export { type Embedded, type EmbeddedOptions } from './supervise.ts';
export { type EmbeddedDatabase } from './roles.ts';

const waitStepMs = 300;

/**
 * For `walletd start`: takes the data folder's lock, then starts the server, or adopts the one
 * that a killed walletd left running. Waits up to a minute for a command that uses the folder, and
 * not for a live daemon. Expected failures of a host (folder, disk, user, version, another walletd)
 * are returned as faults; unexpected ones and a cancelled start reject.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Outcome<Embedded>> {
  return await guard(options, async () => {
    const uid = currentUid();
    const opened = await openDataDir(options.dataDir, uid);
    if (!opened.ok) return opened;
    const paths = opened.value;
    const deadline = performance.now() + readyTimeoutMs;
    for (let waited = false; ; waited = true) {
      const acquired = await acquireFileLock(paths.lockFile, { purpose: 'daemon' });
      if (acquired.ok) {
        return await superviseServer({ ...options, canCreate: true }, paths, acquired.lock, uid);
      }
      const { holder } = acquired;
      if (holder.purpose === 'daemon' || performance.now() >= deadline) {
        return refuse(holder, paths);
      }
      if (!waited) options.log.info({ pid: holder.pid }, 'waiting for a walletd command to end');
      await untilAborted(options.signal, sleep(waitStepMs));
    }
  });
}

/**
 * For commands: uses the server of the live daemon, and its `stop()` then leaves that alone.
 * Without a daemon it takes the lock and starts the server, and `stop()` stops it. Only with
 * `canCreate` does it create a folder and databases. Faults are those of `startEmbedded`; two
 * commands take turns.
 */
export async function attachEmbedded(options: EmbeddedOptions): Promise<Outcome<Embedded>> {
  return await guard(options, async () => {
    const uid = currentUid();
    const asked = path.resolve(options.dataDir);
    const seen = pathsIn(await realpath(asked).catch(() => asked));
    const deadline = performance.now() + readyTimeoutMs;
    for (let waited = false; ; waited = true) {
      const holder = await readLiveHolder(seen.lockFile);
      if (holder?.purpose === 'daemon') {
        const joined = await untilAborted(options.signal, joinServer(seen, holder));
        if (joined.ok || performance.now() >= deadline) return joined;
      } else if (holder === null) {
        const missing = options.canCreate ? undefined : await findMissing(options.dataDir, uid);
        if (missing) return missing;
        const opened = await openDataDir(options.dataDir, uid);
        if (!opened.ok) return opened;
        const acquired = await acquireFileLock(opened.value.lockFile, { purpose: 'command' });
        if (acquired.ok) return await superviseServer(options, opened.value, acquired.lock, uid);
        continue;
      } else if (performance.now() >= deadline) {
        return refuse(holder, seen);
      }
      if (!waited) options.log.info({ pid: holder.pid }, 'waiting for another walletd');
      await untilAborted(options.signal, sleep(waitStepMs));
    }
  });
}

/**
 * Why a command has no database to work on: nothing is at the place of the data folder, or it must
 * not be used. Undefined while a daemon runs on it. Changes nothing.
 */
export async function findNoDatabase(dataDir: string): Promise<Failure | undefined> {
  const found = await guard({ dataDir }, async () => {
    const missing = await findMissing(dataDir, currentUid());
    if (!missing) return succeed(null);
    const asked = path.resolve(dataDir);
    const { lockFile } = pathsIn(await realpath(asked).catch(() => asked));
    return (await readLiveHolder(lockFile)) === null ? missing : succeed(null);
  });
  return found.ok ? undefined : found;
}

/** Why the data folder must not be used; undefined too where there is none yet. Changes nothing. */
export async function findDataDirFault(dataDir: string): Promise<Failure | undefined> {
  const found = await guard({ dataDir }, () => inspectDataDir(dataDir, currentUid()));
  return found.ok ? undefined : found;
}

async function findMissing(dataDir: string, uid: number): Promise<Failure | undefined> {
  const found = await inspectDataDir(dataDir, uid);
  if (!found.ok) return found;
  if (found.value === null) {
    return fail(`There is no data folder ${path.resolve(dataDir)}.`, noDatabaseHint);
  }
  const { root, pgData } = found.value.paths;
  if (await exists(pgData)) return undefined;
  return fail(`There is no database in the data folder ${root}.`, noDatabaseHint);
}

/** The server of a live daemon; fails while that is still starting it. */
async function joinServer(paths: DataPaths, holder: LockHolder): Promise<Outcome<Embedded>> {
  const secrets = await readSecrets(paths.secretsFile);
  if (!secrets.ok) return secrets;
  const socketDir = secrets.value?.socketDir ?? null;
  if (secrets.value === null || socketDir === null) {
    return unready(holder, paths, 'it has not created its database yet');
  }
  try {
    const access = { socketDir, password: secrets.value.adminPassword };
    await checkDatabases(access, secrets.value);
  } catch (err) {
    return unready(holder, paths, err instanceof Error ? err.message : String(err));
  }
  return succeed({
    databases: describeDatabases(socketDir, secrets.value),
    dataDir: paths.root,
    adopted: true,
    stop: () => Promise.resolve(),
  });
}

function unready(holder: LockHolder, { root }: DataPaths, why: string): Outcome<Embedded> {
  return fail(
    `The database of the walletd on ${root} (pid ${holder.pid}) does not answer: ${why}.`,
    'See the log of that walletd, or stop it and run the command again.',
  );
}

function refuse(holder: LockHolder, { root }: DataPaths): Outcome<Embedded> {
  const what = holder.purpose === 'daemon' ? 'Another walletd' : 'A walletd command';
  return fail(
    `${what} (pid ${holder.pid}) is using the data folder ${root}.`,
    holder.purpose === 'daemon'
      ? `Stop it first (kill ${holder.pid}), or name another folder with WALLETD_DATA_DIR.`
      : 'Wait until it has ended, then start again.',
  );
}

async function guard<T>(
  { dataDir }: Pick<EmbeddedOptions, 'dataDir'>,
  work: () => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  try {
    return await work();
  } catch (err) {
    const explained = explainFolderError(err, path.resolve(dataDir));
    if (explained === undefined) throw err;
    return explained;
  }
}

function currentUid(): number {
  // Absent on Windows, for which there are no binaries either.
  return process.geteuid?.() ?? -1;
}
