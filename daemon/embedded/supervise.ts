import { rmdir } from 'node:fs/promises';

import { untilAborted } from '../platform/concurrency/abort.ts';
import { type Log } from '../platform/log.ts';
import { type AdminAccess } from './admin-client.ts';
import { locatePackage, prepareBinaries, removeOldBinaries, type Binaries } from './binaries.ts';
import { createCluster, inspectCluster, removeLeftovers } from './cluster.ts';
import { type DataPaths } from './data-dir.ts';
import { type Lock } from './lock.ts';
import { boundLog, giveLog, readLogTail } from './log-file.ts';
import { startServer, type StartedServer } from './start-server.ts';
import { codeOf, fail, folderHints, ownDatabaseHint, succeed, type Result } from './result.ts';
import { describeDatabases, ensureDatabases, type EmbeddedDatabase } from './roles.ts';
import { type RunAs } from './run.ts';
import { ensureSecrets, saveSecrets, type Secrets, type ServiceName } from './secrets.ts';
import { stopServer } from './server-process.ts';
import { prepareSocketDir } from './socket-dir.ts';
import { ensureSystemUser } from './system-user.ts';

export type EmbeddedOptions = {
  readonly dataDir: string;
  readonly log: Log;
  /** Postgres settings that override ours; without effect on a server that is adopted */
  readonly extraSettings?: Readonly<Record<string, string>>;
  /** where walletd is root: the user that Postgres runs as; default: the system user, created */
  readonly runAs?: RunAs;
  /** called once if the server ends without `stop()`; says how, for a log or an error message */
  readonly onUnexpectedExit?: (detail: string) => void;
  /** gives the start up: what it has begun is stopped, and it rejects with the signal's reason */
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
   * Stops Postgres and releases the lock, if this process holds it. Clients are cut off: close
   * pools first. Calling it again returns the same promise.
   */
  stop(): Promise<void>;
};

const defaultStopTimeoutMs = 8_000;
const boundLogMs = 60_000;
/** SQLSTATE disk_full. */
const diskFullState = '53100';

/** With the lock in hand: brings up cluster, server and databases. On failure frees the lock. */
export async function superviseServer(
  options: EmbeddedOptions,
  paths: DataPaths,
  lock: Lock,
  uid: number,
): Promise<Result<Embedded>> {
  try {
    const result = await bringUp(options, paths, lock, uid);
    if (!result.ok) await lock.release();
    return result;
  } catch (err) {
    await lock.release();
    throw err;
  }
}

async function bringUp(
  options: EmbeddedOptions,
  paths: DataPaths,
  lock: Lock,
  uid: number,
): Promise<Result<Embedded>> {
  const { log, signal, extraSettings = {} } = options;
  const source = await locatePackage();
  if (!source.ok) return source;
  const user = await chooseServerUser(options, uid);
  if (!user.ok) return user;
  const runAs = user.value;
  let prepared: Promise<Result<Binaries>> | undefined;
  const binaries = (): Promise<Result<Binaries>> =>
    (prepared ??= prepareBinaries(source.value, paths.root, runAs));

  await removeLeftovers(paths);
  signal?.throwIfAborted();
  const { majorVersion } = source.value;
  const secrets = await ensureCluster(options, paths, uid, runAs, majorVersion, binaries);
  if (!secrets.ok) return secrets;
  const socketDir = await settleSocketDir(paths, secrets.value, runAs, uid);
  if (!socketDir.ok) return socketDir;
  const access = { socketDir: socketDir.value, password: secrets.value.adminPassword };

  await boundLog(paths.logFile);
  if (runAs) await giveLog(paths.logFile, runAs);
  const raised = await startServer({
    ...{ paths, access, binaries, runAs, extraSettings, signal, log },
  });
  if (!raised.ok) return raised;
  if (!raised.value.adopted) await removeOldBinaries(paths.root, source.value.version);
  const ready = await setUpDatabases(access, secrets.value, signal);
  if (!ready.ok) {
    if (!raised.value.adopted || signal?.aborted) await stopRaised(options, raised.value);
    signal?.throwIfAborted();
    return ready;
  }
  const { pid } = raised.value.server.identity;
  const { adopted } = raised.value;
  log.info({ pid, dataDir: paths.root, adopted }, 'embedded Postgres is ready');
  const databases = describeDatabases(access.socketDir, secrets.value);
  const stop = keepWatch(options, paths, raised.value, access, lock);
  return succeed({ databases, dataDir: paths.root, adopted, stop });
}

async function chooseServerUser(
  { runAs }: EmbeddedOptions,
  uid: number,
): Promise<Result<RunAs | null>> {
  if (uid !== 0) return succeed(null);
  return runAs ? succeed(runAs) : ensureSystemUser();
}

/** Returns the passwords of the cluster, which exists afterwards. */
async function ensureCluster(
  { signal, log }: EmbeddedOptions,
  paths: DataPaths,
  uid: number,
  runAs: RunAs | null,
  majorVersion: number,
  binaries: () => Promise<Result<Binaries>>,
): Promise<Result<Secrets>> {
  const owner = { uid: runAs?.uid ?? uid, user: runAs?.name ?? 'the user who runs walletd' };
  const cluster = await inspectCluster(paths, { majorVersion, ...owner });
  if (!cluster.ok) return cluster;
  const clusterExists = cluster.value.exists;
  const secrets = await ensureSecrets(paths.secretsFile, { clusterExists, majorVersion });
  if (!secrets.ok || clusterExists) return secrets;
  log.info({ dataDir: paths.root }, 'creating the embedded database');
  const programs = await binaries();
  if (!programs.ok) return programs;
  const { adminPassword } = secrets.value;
  const created = await createCluster(paths, programs.value, runAs, adminPassword, signal);
  return created.ok ? secrets : created;
}

async function settleSocketDir(
  paths: DataPaths,
  secrets: Secrets,
  runAs: RunAs | null,
  uid: number,
): Promise<Result<string>> {
  const lastUsed = secrets.socketDir;
  const found = await prepareSocketDir({ dataDir: paths.root, lastUsed, runAs, uid });
  if (found.ok && found.value !== lastUsed) {
    await saveSecrets(paths.secretsFile, { ...secrets, socketDir: found.value });
  }
  return found;
}

async function setUpDatabases(
  access: AdminAccess,
  secrets: Secrets,
  signal: AbortSignal | undefined,
): Promise<Result<null>> {
  try {
    await untilAborted(signal, ensureDatabases(access, secrets));
    return succeed(null);
  } catch (err) {
    const said = err instanceof Error ? err.message : String(err);
    const hint = codeOf(err) === diskFullState ? folderHints['ENOSPC'] : undefined;
    return fail(
      `The databases could not be set up: ${said}.`,
      `${hint ?? 'Start again.'} ${ownDatabaseHint}`,
    );
  }
}

/** Looks after the running server and its log; returns what stops both. */
function keepWatch(
  options: EmbeddedOptions,
  { logFile }: DataPaths,
  raised: StartedServer,
  { socketDir }: AdminAccess,
  lock: Lock,
): () => Promise<void> {
  const { log } = options;
  const { identity, ended } = raised.server;
  let stopped: Promise<void> | undefined;
  const bounding = setInterval(() => {
    boundLog(logFile).catch((err: unknown) => log.warn({ err }, 'cannot bound the log'));
  }, boundLogMs).unref();

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
      const gone = await stopRaised(options, raised);
      // Not empty if the server is still there.
      if (gone) await rmdir(socketDir).catch(() => undefined);
      await lock.release();
    })());
}

async function stopRaised(options: EmbeddedOptions, { server }: StartedServer): Promise<boolean> {
  const timeoutMs = options.stopTimeoutMs ?? defaultStopTimeoutMs;
  return await stopServer(server.identity, timeoutMs, options.log);
}
