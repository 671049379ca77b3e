import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { queryUrl } from './client.ts';

import { locatePackage, prepareBinaries } from '../../../daemon/embedded/binaries.ts';
import { formatServerArgs } from '../../../daemon/embedded/cluster.ts';
import { startEmbedded } from '../../../daemon/embedded/index.ts';
import { type Outcome } from '../../../daemon/fault.ts';
import { asUser, childEnv } from '../../../daemon/embedded/run.ts';
import { ensureSystemUser } from '../../../daemon/embedded/system-user.ts';
import { createDb, type Db } from '../../../daemon/platform/db/db.ts';
import { createLog } from '../../../daemon/platform/log.ts';
import { migrate } from '../../../daemon/platform/db/migrate/migrate.ts';
import { readUrls, waitUntil } from '../ledger/ledger.ts';
import { signalServer } from './server.ts';

/** The clock of processes that are started with `env`. */
export type SteppedClock = {
  readonly env: Readonly<Record<string, string>>;
  /** From now on their clock differs from this host's by so many seconds; no drift, no slewing. */
  set(offsetSeconds: number): Promise<void>;
  /** The same, and waits until all of them see it. */
  step(offsetSeconds: number): Promise<void>;
  readonly offsetSeconds: number;
};

/**
 * Each process looks at the file once a second, counted in whole seconds, and a daemon at the clock
 * of its database as often; some time is for a slow machine.
 */
const seenWithinMs = 3_100;

/**
 * A wall clock that steps, by libfaketime. Monotonic clocks and time-outs stay true. `folder` must
 * be open to the user of the processes.
 */
export async function createSteppedClock(folder: string): Promise<SteppedClock> {
  const file = join(folder, 'clock');
  let current = 0;
  const set = async (offsetSeconds: number): Promise<void> => {
    // Renamed into place: the file is read at each look at the clock, and may never be empty.
    const next = `${file}.next`;
    const text = `${offsetSeconds < 0 ? '' : '+'}${offsetSeconds}\n`;
    await writeFile(next, text, { mode: 0o644 });
    await rename(next, file);
    current = offsetSeconds;
  };
  await set(0);
  return {
    env: {
      LD_PRELOAD: findLibrary(),
      FAKETIME_TIMESTAMP_FILE: file,
      // Reading the file allocates, also in a signal's handler: at each look it would corrupt the
      // heap of a Postgres under load. So a process sees a step up to a second later.
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DISABLE_SHM: '1',
      NO_FAKE_STAT: '1',
    },
    set,
    step: async (offsetSeconds) => {
      await set(offsetSeconds);
      await sleep(seenWithinMs);
    },
    get offsetSeconds() {
      return current;
    },
  };
}

/** Debian keeps it in a folder that is named after the processor. */
function findLibrary(): string {
  const folders = readdirSync('/usr/lib').filter((name) => name.endsWith('-linux-gnu'));
  for (const name of folders) {
    const folder = join('/usr/lib', name, 'faketime');
    try {
      if (readdirSync(folder).includes('libfaketime.so.1')) return join(folder, 'libfaketime.so.1');
    } catch {
      // Not this processor's.
    }
  }
  throw new Error(
    'libfaketime.so.1 not found. On Debian or Ubuntu: ' +
      'apt-get install -y --no-install-recommends libfaketime',
  );
}

export type ClockedPostgres = {
  stop(): Promise<void>;
  /** kill -9 of all its processes. */
  kill(): Promise<void>;
  /** Fast: connections are ended, and nothing has to be recovered. */
  shutDown(): Promise<void>;
  /** Starts it where it does not run, on the same data; resolves when it answers. */
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
};

/**
 * A Postgres with the roles and databases that `walletd` makes for its embedded one, but started
 * and stopped here, with `env` besides: that is how its clock is not the host's.
 */
export async function startPostgres(
  dataDir: string,
  env: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, string>> = { max_connections: '200' },
): Promise<ClockedPostgres> {
  const made = need(await startEmbedded({ dataDir, log: createLog('warn') }));
  await made.stop();
  const runAs = process.geteuid?.() === 0 ? need(await ensureSystemUser()) : null;
  const binaries = need(await prepareBinaries(need(await locatePackage()), dataDir, runAs));
  const { admin, socketDir } = await readUrls(dataDir);
  const args = formatServerArgs({
    pgData: join(dataDir, 'postgres'),
    socketDir,
    lz4: false,
    memoryBytes: 2 * 1024 ** 3,
    extraSettings: settings,
  });
  // The other server took its socket's folder with it.
  await mkdir(socketDir, { recursive: true, mode: 0o700 });
  if (runAs) await chown(socketDir, runAs.uid, runAs.gid);
  const log = openSync(join(dataDir, 'postgres.log'), 'a');
  const spawnServer = (): ChildProcess =>
    spawn(binaries.postgres, args, {
      ...asUser(runAs),
      cwd: '/',
      env: { ...childEnv, ...env },
      detached: true,
      stdio: ['ignore', log, log],
    });
  let child: ChildProcess | undefined;
  const end = async (signal: 'SIGINT' | 'SIGKILL'): Promise<void> => {
    if (!child || hasEnded(child)) return;
    const ended = new Promise<void>((resolve) => child?.once('exit', () => resolve()));
    if (signal === 'SIGKILL') signalServer(child, 'SIGKILL');
    else child.kill(signal);
    await ended;
  };
  /** It may refuse while processes of the one before end: then it is started once more. */
  const start = async (): Promise<void> => {
    await waitUntil('Postgres answers', () => {
      if (!child || hasEnded(child)) child = spawnServer();
      return answers(admin('postgres'));
    });
  };
  const endNow = (): void => void child?.kill('SIGQUIT');
  process.once('exit', endNow);
  await start();
  return {
    stop: async () => {
      process.removeListener('exit', endNow);
      await end('SIGINT');
      await rm(socketDir, { recursive: true, force: true });
    },
    kill: () => end('SIGKILL'),
    shutDown: () => end('SIGINT'),
    start,
    freeze: () => child && signalServer(child, 'SIGSTOP'),
    thaw: () => child && signalServer(child, 'SIGCONT'),
  };
}

const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null;

async function answers(url: string): Promise<boolean> {
  try {
    await queryUrl(url, 'SELECT 1');
    return true;
  } catch {
    return false;
  }
}

function need<T>(result: Outcome<T>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.fault.fault} ${result.fault.hint}`);
}

export type SteppedPostgres = {
  readonly dataDir: string;
  readonly clock: SteppedClock;
  /** A migrated database of a service. */
  open(service: 'auth' | 'wallet' | 'statement'): Promise<Db>;
  stop(): Promise<void>;
};

/** A Postgres in a folder of its own, whose wall clock steps while it runs. */
export async function startSteppedPostgres(): Promise<SteppedPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'dw-clock-'));
  await chmod(folder, 0o711);
  const dataDir = join(folder, 'data');
  const clock = await createSteppedClock(folder);
  const server = await startPostgres(dataDir, clock.env);
  const urls = await readUrls(dataDir);
  const opened: Db[] = [];
  const log = createLog('silent');
  return {
    dataDir,
    clock,
    open: async (service) => {
      const name = new URL(urls.runtime(service)).username;
      const options = { folder: `migrations/${service}`, runtimeRole: name, log };
      const done = await migrate({ ownerUrl: urls.owner(service), ...options });
      if (!done.ok) throw new Error(done.fault);
      const db = createDb({ url: urls.runtime(service), name: service, maxConnections: 4, log });
      opened.push(db);
      return db;
    },
    stop: async () => {
      await Promise.all(opened.map((db) => db.close()));
      await server.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
