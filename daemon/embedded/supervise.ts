import { rmdir } from 'node:fs/promises';

import { type ServiceName } from '../config/settings.ts';
import { untilAborted } from '../platform/concurrency/abort.ts';
import { type Log } from '../platform/log.ts';
import { type FileLock } from '../../lib/file-lock.ts';
import { type AdminAccess } from './admin-client.ts';
import { locatePackage, prepareBinaries, removeOldBinaries, type Binaries } from './binaries.ts';
import { createCluster, inspectCluster, removeLeftovers } from './cluster.ts';
import { type DataPaths } from './data-dir.ts';
import { truncateLog, changeLogOwner, readLogTail } from './log-file.ts';
import { startServer, type StartedServer } from './start-server.ts';
import { codeOf } from '../../lib/error-code.ts';
import { fail, succeed, type Outcome } from '../fault.ts';
import { folderHints, noDatabaseHint, ownDatabaseHint } from './explain.ts';
import {
  checkDatabases,
  describeDatabases,
  ensureDatabases,
  type EmbeddedDatabase,
} from './roles.ts';
import { type RunAs } from './run.ts';
import { ensureSecrets, saveSecrets, type Secrets } from './secrets.ts';
import { stopServer } from './server-process.ts';
import { prepareSocketDir } from './socket-dir.ts';
import { ensureSystemUser } from './system-user.ts';

export type EmbeddedOptions = {
  readonly dataDir: string;
  readonly log: Log;
  /** Postgres settings that override the default ones; ignored for a server that is adopted */
  readonly extraSettings?: Readonly<Record<string, string>>;
  /** if walletd is root: the user that Postgres runs as; default: the system user */
  readonly runAs?: RunAs;
  /** may create a folder and databases where there are none; `startEmbedded` always may */
  readonly canCreate?: boolean;
  /** called once if the server ends without `stop()`; `detail` is for a log or an error message */
  readonly onUnexpectedExit?: (detail: string) => void;
  /** cancels the start: what it started is stopped, and it rejects with the signal's reason */
  readonly signal?: AbortSignal;
  /** how long `stop()` waits for the fast shutdown before the immediate one; default 8 s */
  readonly stopTimeoutMs?: number;
};

export type Embedded = {
  readonly databases: Readonly<Record<ServiceName, EmbeddedDatabase>>;
  readonly dataDir: string;
  /** true if the server was running already */
  readonly adopted: boolean;
  /**
   * Stops Postgres and releases the lock, if this process has it. Clients are disconnected: close
   * pools first. Calling it again returns the same promise.
   */
  stop(): Promise<void>;
};

const defaultStopTimeoutMs = 8_000;
const truncateLogMs = 60_000;
/** SQLSTATE disk_full. */
const diskFullState = '53100';

/** Starts cluster, server and databases. The caller has the lock; a failure releases it. */
export async function superviseServer(
  options: EmbeddedOptions,
  paths: DataPaths,
  lock: FileLock,
  uid: number,
): Promise<Outcome<Embedded>> {
  try {
    const result = await startAll(options, paths, lock, uid);
    if (!result.ok) await lock.release();
    return result;
  } catch (err) {
    await lock.release();
    throw err;
  }
}

async function startAll(
  options: EmbeddedOptions,
  paths: DataPaths,
  lock: FileLock,
  uid: number,
): Promise<Outcome<Embedded>> {
  const { log, signal, extraSettings = {} } = options;
  const source = await locatePackage();
  if (!source.ok) return source;
  const user = await chooseServerUser(options, uid);
  if (!user.ok) return user;
  const runAs = user.value;
  let prepared: Promise<Outcome<Binaries>> | undefined;
  const binaries = (): Promise<Outcome<Binaries>> =>
    (prepared ??= prepareBinaries(source.value, paths.root, runAs));

  await removeLeftovers(paths);
  signal?.throwIfAborted();
  const { majorVersion } = source.value;
  const secrets = await ensureCluster(options, paths, uid, runAs, majorVersion, binaries);
  if (!secrets.ok) return secrets;
  const socketDir = await chooseSocketDir(paths, secrets.value, runAs, uid);
  if (!socketDir.ok) return socketDir;
  const access = { socketDir: socketDir.value, password: secrets.value.adminPassword };

  await truncateLog(paths.logFile);
  if (runAs) await changeLogOwner(paths.logFile, runAs);
  const started = await startServer({
    ...{ paths, access, binaries, runAs, extraSettings, signal, log },
  });
  if (!started.ok) return started;
  if (!started.value.adopted) await removeOldBinaries(paths.root, source.value.version);
  const ready = await setUpDatabases(options, access, secrets.value);
  if (!ready.ok) {
    if (!started.value.adopted || signal?.aborted) await stopStarted(options, started.value);
    signal?.throwIfAborted();
    return ready;
  }
  const { pid } = started.value.server.identity;
  const { adopted } = started.value;
  log.info({ pid, dataDir: paths.root, adopted }, 'embedded Postgres is ready');
  const databases = describeDatabases(access.socketDir, secrets.value);
  const stop = supervise(options, paths, started.value, access, lock);
  return succeed({ databases, dataDir: paths.root, adopted, stop });
}

async function chooseServerUser(
  { runAs }: EmbeddedOptions,
  uid: number,
): Promise<Outcome<RunAs | null>> {
  if (uid !== 0) return succeed(null);
  return runAs ? succeed(runAs) : ensureSystemUser();
}

/** Creates the cluster if it is absent, and returns its passwords. */
async function ensureCluster(
  { canCreate = false, signal, log }: EmbeddedOptions,
  paths: DataPaths,
  uid: number,
  runAs: RunAs | null,
  majorVersion: number,
  binaries: () => Promise<Outcome<Binaries>>,
): Promise<Outcome<Secrets>> {
  const owner = { uid: runAs?.uid ?? uid, user: runAs?.name ?? 'the user who runs walletd' };
  const cluster = await inspectCluster(paths, { majorVersion, ...owner });
  if (!cluster.ok) return cluster;
  const clusterExists = cluster.value.exists;
  if (!clusterExists && !canCreate) {
    return fail(`There is no database in the data folder ${paths.root}.`, noDatabaseHint);
  }
  const secrets = await ensureSecrets(paths.secretsFile, { clusterExists, majorVersion });
  if (!secrets.ok || clusterExists) return secrets;
  log.info({ dataDir: paths.root }, 'creating the embedded database');
  const programs = await binaries();
  if (!programs.ok) return programs;
  const { adminPassword } = secrets.value;
  const created = await createCluster(paths, programs.value, runAs, adminPassword, signal);
  return created.ok ? secrets : created;
}

async function chooseSocketDir(
  paths: DataPaths,
  secrets: Secrets,
  runAs: RunAs | null,
  uid: number,
): Promise<Outcome<string>> {
  const lastUsed = secrets.socketDir;
  const found = await prepareSocketDir({ dataDir: paths.root, lastUsed, runAs, uid });
  if (found.ok && found.value !== lastUsed) {
    await saveSecrets(paths.secretsFile, { ...secrets, socketDir: found.value });
  }
  return found;
}

/** Creates what is missing; a command only looks whether all is there. */
async function setUpDatabases(
  { canCreate = false, signal }: EmbeddedOptions,
  access: AdminAccess,
  secrets: Secrets,
): Promise<Outcome<null>> {
  const prepare = canCreate ? ensureDatabases : checkDatabases;
  try {
    await untilAborted(signal, prepare(access, secrets));
    return succeed(null);
  } catch (err) {
    const message = err instanceof Error ? err.message : String(err);
    if (!canCreate) {
      return fail(`The databases are not complete: ${message}.`, 'Run `walletd migrate`.');
    }
    const hint = codeOf(err) === diskFullState ? folderHints['ENOSPC'] : undefined;
    return fail(
      `The databases could not be set up: ${message}.`,
      `${hint ?? 'Start again.'} ${ownDatabaseHint}`,
    );
  }
}

/** Watches the running server and limits its log; returns the function that stops both. */
function supervise(
  options: EmbeddedOptions,
  { logFile }: DataPaths,
  started: StartedServer,
  { socketDir }: AdminAccess,
  lock: FileLock,
): () => Promise<void> {
  const { log } = options;
  const { identity, ended } = started.server;
  let stopped: Promise<void> | undefined;
  const bounding = setInterval(() => {
    truncateLog(logFile).catch((err: unknown) =>
      log.warn({ err }, 'cannot truncate the log of Postgres'),
    );
  }, truncateLogMs).unref();

  void ended.then(async (how) => {
    if (stopped !== undefined) return;
    const tail = await readLogTail(logFile);
    const detail = `embedded Postgres (pid ${identity.pid}) ended: ${how}. Its log ends:\n${tail}`;
    log.error({ pid: identity.pid }, detail);
    options.onUnexpectedExit?.(detail);
  });

  return () =>
    (stopped ??= (async () => {
      clearInterval(bounding);
      const hasEnded = await stopStarted(options, started);
      if (hasEnded) await rmdir(socketDir).catch(() => undefined);
      await lock.release();
    })());
}

async function stopStarted(options: EmbeddedOptions, { server }: StartedServer): Promise<boolean> {
  const timeoutMs = options.stopTimeoutMs ?? defaultStopTimeoutMs;
  return await stopServer(server.identity, timeoutMs, options.log);
}
