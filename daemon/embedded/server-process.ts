import { spawn } from 'node:child_process';
import { open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { type Log } from '../platform/log.ts';
import {
  processExists,
  identifyProcess,
  isAlive,
  type ProcessIdentity,
} from '../../lib/process-identity.ts';
import { codeOf } from '../../lib/error-code.ts';
import { asUser, childEnv, runToEnd, type RunAs } from './run.ts';
import { socketFileIn } from './socket-dir.ts';

/** A running Postgres. `ended` resolves with the reason once it has ended; it never rejects. */
export type Server = {
  readonly identity: ProcessIdentity;
  readonly ended: Promise<string>;
};

const adoptedPollMs = 1_000;
const stopPollMs = 25;
const quitTimeoutMs = 15_000;

/**
 * Starts Postgres in a session of its own, so that Ctrl-C at walletd's terminal does not reach
 * it. It has no stdin, appends its output to the log, and does not keep this process alive.
 * Rejects if it cannot be started.
 */
export async function spawnServer(input: {
  readonly postgres: string;
  readonly args: readonly string[];
  readonly pgData: string;
  readonly logFile: string;
  readonly runAs: RunAs | null;
}): Promise<Server> {
  const log = await open(input.logFile, 'a', 0o600);
  try {
    const child = spawn(input.postgres, input.args, {
      ...asUser(input.runAs),
      cwd: '/',
      env: { ...childEnv, PGDATA: input.pgData },
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    const ended = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code ?? 'unknown'}`));
    });
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const pid = child.pid ?? 0;
    const identity = await identifyProcess(pid);
    return { identity: identity ?? { pid, host: '', startedAt: 'ended', bootId: '' }, ended };
  } finally {
    await log.close();
  }
}

/** A server of an earlier walletd: not a child process, so its end is polled for. */
export function watchServer(identity: ProcessIdentity): Server {
  const ended = new Promise<string>((resolve) => {
    const look = async (): Promise<void> => {
      if (!(await isAlive(identity))) resolve('its process has ended');
      else setTimeout(() => void look(), adoptedPollMs).unref();
    };
    void look();
  });
  return { identity, ended };
}

/** The live server on this data folder, by its postmaster.pid; null if there is none. */
export async function findServer(pgData: string): Promise<ProcessIdentity | null> {
  const { pid } = await readPidFile(pgData);
  if (pid === null || !(await isPostmasterOf(pid, pgData))) return null;
  return await identifyProcess(pid);
}

/** The state in postmaster.pid: starting, ready, stopping; '' if there is none. */
export async function readServerStatus(pgData: string): Promise<string> {
  return (await readPidFile(pgData)).status;
}

/**
 * Removes pid files whose pid was reused by another process: Postgres would take that for a running
 * server and refuse to start. It handles those of ended processes itself.
 */
export async function removeRecycledPidFiles(pgData: string, socketDir: string): Promise<void> {
  const files = [path.join(pgData, 'postmaster.pid'), `${socketFileIn(socketDir)}.lock`];
  for (const file of files) {
    const pid = Number.parseInt(await readOrEmpty(file), 10);
    if (!Number.isInteger(pid) || pid <= 0) continue;
    if ((await identifyProcess(pid)) === null || (await isPostmasterOf(pid, pgData))) continue;
    await rm(file, { force: true });
  }
}

/**
 * Stops Postgres: a fast shutdown (it disconnects clients and writes everything), and after
 * `timeoutMs` an immediate one, from which the next start recovers. True if it has ended.
 */
export async function stopServer(
  identity: ProcessIdentity,
  timeoutMs: number,
  log: Log,
): Promise<boolean> {
  await signal(identity, 'SIGINT');
  if (await waitUntilEnded(identity, timeoutMs)) return true;
  log.warn(
    { pid: identity.pid },
    'embedded Postgres is slow to stop; requesting an immediate shutdown',
  );
  await signal(identity, 'SIGQUIT');
  if (await waitUntilEnded(identity, quitTimeoutMs)) return true;
  log.error({ pid: identity.pid }, 'embedded Postgres does not stop; it is left running');
  return false;
}

/** False if the process is certainly not a postmaster of that data folder. */
export async function isPostmasterOf(pid: number, pgData: string): Promise<boolean> {
  if (process.platform !== 'linux') {
    const { code, output } = await runToEnd('ps', ['-ww', '-o', 'command=', '-p', String(pid)], {
      timeoutMs: 5_000,
    });
    return code === 0 && output.includes(`-D ${pgData}`);
  }
  try {
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    return args.some((arg, i) => arg === '-D' && args[i + 1] === pgData);
  } catch {
    return processExists(pid);
  }
}

async function signal(identity: ProcessIdentity, name: 'SIGINT' | 'SIGQUIT'): Promise<void> {
  if (!(await isAlive(identity))) return;
  try {
    process.kill(identity.pid, name);
  } catch (err) {
    if (codeOf(err) !== 'ESRCH') throw err;
  }
}

async function waitUntilEnded(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (await isAlive(identity)) {
    if (performance.now() >= deadline) return false;
    await sleep(stopPollMs);
  }
  return true;
}

async function readPidFile(pgData: string): Promise<{ pid: number | null; status: string }> {
  const lines = (await readOrEmpty(path.join(pgData, 'postmaster.pid'))).split('\n');
  const pid = Number.parseInt(lines[0] ?? '', 10);
  return { pid: Number.isInteger(pid) && pid > 0 ? pid : null, status: lines[7]?.trim() ?? '' };
}

async function readOrEmpty(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => '');
}
