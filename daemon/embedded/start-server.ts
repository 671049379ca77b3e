import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import { untilAborted } from '../platform/concurrency/abort.ts';
import { type Log } from '../platform/log.ts';
import { withAdminClient, type AdminAccess } from './admin-client.ts';
import { type Binaries } from './binaries.ts';
import { formatServerArgs, supportsLz4 } from './cluster.ts';
import { type DataPaths } from './data-dir.ts';
import { measureLog, readLogTail } from './log-file.ts';
import { isAlive, type ProcessIdentity } from '../../lib/process-identity.ts';
import { codeOf } from '../../lib/error-code.ts';
import { fail, succeed, type Failure, type Outcome } from '../fault.ts';
import { explainOutput } from './explain.ts';
import { type RunAs } from './run.ts';
import {
  findServer,
  readServerStatus,
  removeRecycledPidFiles,
  spawnServer,
  stopServer,
  watchServer,
  type Server,
} from './server-process.ts';

export type StartInput = {
  readonly paths: DataPaths;
  readonly access: AdminAccess;
  readonly binaries: () => Promise<Outcome<Binaries>>;
  readonly runAs: RunAs | null;
  readonly extraSettings: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
  readonly log: Log;
};

export type StartedServer = { readonly server: Server; readonly adopted: boolean };

/** `again`: try again, since the obstacle may have ended or be adoptable by then. */
type Attempt = { readonly again: boolean; readonly result: Outcome<StartedServer> };

export const readyTimeoutMs = 60_000;
const pollMs = 50;
const retryDelayMs = 300;
const progressMs = 5_000;
const unreachableMs = 3_000;
const staleStopMs = 20_000;
/** For a start that is cancelled. */
const abortStopMs = 5_000;

/**
 * Adopts the server that runs on the data folder, or starts one, and waits until it answers. The
 * state can change meanwhile (a server ends, an orphan appears late, backends of a killed server
 * take a moment to end), so it tries again for a minute. If the signal is aborted, the server is
 * stopped, also an adopted one, and it rejects with the signal's reason.
 */
export async function startServer(input: StartInput): Promise<Outcome<StartedServer>> {
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    const running = await findServer(input.paths.pgData);
    const attempt =
      running === null
        ? await launchServer(input, deadline)
        : await adoptServer(input, running, deadline);
    if (!attempt.again || performance.now() >= deadline) return attempt.result;
    await untilAborted(input.signal, sleep(retryDelayMs));
  }
}

async function adoptServer(
  input: StartInput,
  identity: ProcessIdentity,
  deadline: number,
): Promise<Attempt> {
  const outcome = await waitUntilReady(input, identity, deadline);
  if (typeof outcome !== 'string') return { again: false, result: outcome };
  if (outcome === 'ready') {
    return {
      again: false,
      result: succeed({ server: watchServer(identity), adopted: true }),
    };
  }
  if (outcome === 'unreachable') {
    input.log.warn({ pid: identity.pid }, 'embedded Postgres has lost its socket; restarting it');
    await stopServer(identity, staleStopMs, input.log);
  }
  return { again: true, result: await explainEnd(input, 0) };
}

async function launchServer(input: StartInput, deadline: number): Promise<Attempt> {
  const { paths, access, runAs, extraSettings } = input;
  const { pgData, logFile } = paths;
  const binaries = await input.binaries();
  if (!binaries.ok) return { again: false, result: binaries };
  await removeRecycledPidFiles(pgData, access.socketDir);
  const lz4 = await supportsLz4(binaries.value, pgData, runAs);
  const logOffset = await measureLog(logFile);
  const server = await spawnServer({
    postgres: binaries.value.postgres,
    args: formatServerArgs({
      ...{ pgData, socketDir: access.socketDir, lz4, extraSettings },
      // A container's limit is less than the machine has; without one it is far more.
      memoryBytes: Math.min(totalmem(), process.constrainedMemory() || Infinity),
    }),
    pgData,
    logFile,
    runAs,
  });
  const outcome = await waitUntilReady(input, server.identity, deadline);
  if (outcome === 'ready') return { again: false, result: succeed({ server, adopted: false }) };
  if (outcome === 'ended') {
    const tail = await readLogTail(logFile, logOffset);
    const again = /lock file .* already exists|pre-existing shared memory block/.test(tail);
    return { again, result: await explainEnd(input, logOffset) };
  }
  if (outcome === 'unreachable' || !outcome.leaveRunning) {
    await stopServer(server.identity, staleStopMs, input.log);
  }
  const result = outcome === 'unreachable' ? await explainEnd(input, logOffset) : outcome;
  return { again: false, result };
}

async function explainEnd({ paths }: StartInput, logOffset: number): Promise<Failure> {
  return explainOutput(
    `Postgres did not start on ${paths.pgData}.`,
    await readLogTail(paths.logFile, logOffset),
    `Its whole log is ${paths.logFile}.`,
  );
}

/** `leaveRunning`: a server in recovery, for the next start; not one with other passwords. */
type Unready = Failure & { readonly leaveRunning: boolean };

type Readiness = 'ready' | 'ended' | 'unreachable' | Unready;

/** As `pollUntilReady`; if the start is cancelled, it stops the server. */
async function waitUntilReady(
  input: StartInput,
  identity: ProcessIdentity,
  deadline: number,
): Promise<Readiness> {
  try {
    return await pollUntilReady(input, identity, deadline);
  } catch (err) {
    if (input.signal?.aborted) await stopServer(identity, abortStopMs, input.log);
    throw err;
  }
}

/** Waits until the server answers or has ended, with a line in the log every five seconds. */
async function pollUntilReady(
  { paths, access, signal, log }: StartInput,
  identity: ProcessIdentity,
  deadline: number,
): Promise<Readiness> {
  let nextProgress = performance.now() + progressMs;
  let unreachableSince: number | null = null;
  for (;;) {
    const answer = await untilAborted(signal, ping(access, paths.pgData));
    if (answer === 'ready') return answer;
    if (typeof answer !== 'string') return answer;
    if (!(await isAlive(identity))) return 'ended';
    const now = performance.now();
    const isLost = answer === 'absent' && (await readServerStatus(paths.pgData)) === 'ready';
    unreachableSince = isLost ? (unreachableSince ?? now) : null;
    if (unreachableSince !== null && now - unreachableSince > unreachableMs) return 'unreachable';
    if (now >= deadline) return await explainDelay(paths, identity);
    if (now >= nextProgress) {
      nextProgress = now + progressMs;
      const lastLine = (await readLogTail(paths.logFile)).split('\n').at(-1) ?? '';
      log.info({ pid: identity.pid, lastLine }, 'waiting for embedded Postgres to be ready');
    }
    await untilAborted(signal, sleep(pollMs));
  }
}

async function explainDelay(paths: DataPaths, identity: ProcessIdentity): Promise<Unready> {
  const seconds = readyTimeoutMs / 1000;
  const tail = await readLogTail(paths.logFile);
  const failure = fail(
    `Postgres (pid ${identity.pid}) on ${paths.pgData} is not ready after ${seconds} s. ` +
      `Its log ends:\n${tail}`,
    'It keeps running: wait until it has recovered, then start walletd again.',
  );
  return { ...failure, leaveRunning: true };
}

async function ping(
  access: AdminAccess,
  pgData: string,
): Promise<'ready' | 'absent' | 'waiting' | Unready> {
  try {
    const served = await withAdminClient(access, 'postgres', async (client) => {
      const { rows } = await client.query<{ folder: string }>(
        "SELECT current_setting('data_directory') AS folder",
      );
      return rows[0]?.folder;
    });
    if (served === pgData) return 'ready';
    const failure = fail(
      `Another Postgres, on ${served ?? 'an unknown folder'}, answers at ${access.socketDir}.`,
      'Stop that Postgres, then start walletd again.',
    );
    return { ...failure, leaveRunning: false };
  } catch (err) {
    const code = codeOf(err);
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return 'absent';
    if (!code.startsWith('28')) return 'waiting';
    const failure = fail(
      `Postgres on ${pgData} does not accept the password in embedded.json beside it.`,
      'Restore the embedded.json that belongs to this data.',
    );
    return { ...failure, leaveRunning: false };
  }
}
