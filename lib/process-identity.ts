import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';

import { codeOf } from './error-code.ts';

/**
 * A process beyond its pid, which the kernel reuses: its host, its start time and the boot of the
 * host. An empty text is an unknown value, and equals every value.
 */
export type ProcessIdentity = {
  readonly pid: number;
  readonly host: string;
  /** In clock ticks since the boot on Linux, otherwise as `ps` prints it. */
  readonly startedAt: string;
  readonly bootId: string;
};

const psTimeoutMs = 5_000;

/** Identifies a running process; null if there is none, or only a zombie of it. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | null> {
  if (!processExists(pid)) return null;
  const { state, startedAt } = await (process.platform === 'linux' ? readProc : runPs)(pid);
  if (/^[ZX]/.test(state)) return null;
  // The process may have ended during the read.
  if (startedAt === '' && !processExists(pid)) return null;
  return { pid, host: hostname(), startedAt, bootId: await readBootId() };
}

/** Identifies this process. */
export async function identifyOwnProcess(): Promise<ProcessIdentity> {
  const { pid } = process;
  return (await identifyProcess(pid)) ?? { pid, host: hostname(), startedAt: '', bootId: '' };
}

/** Whether the process still runs; unknown for a process of another host (a shared file system). */
export async function findLiveness(
  identity: ProcessIdentity,
): Promise<'alive' | 'dead' | 'unknown'> {
  if (!isEqual(identity.host, hostname())) return 'unknown';
  const now = await identifyProcess(identity.pid);
  const isSame =
    now !== null &&
    isEqual(now.startedAt, identity.startedAt) &&
    isEqual(now.bootId, identity.bootId);
  return isSame ? 'alive' : 'dead';
}

/** True if the process runs on this host. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await findLiveness(identity)) === 'alive';
}

/** True if any process of this host has the pid, also a zombie. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (err) {
    return codeOf(err) === 'EPERM';
  }
}

const isEqual = (a: string, b: string): boolean => a === b || a === '' || b === '';

async function readProc(pid: number): Promise<{ state: string; startedAt: string }> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // proc_pid_stat(5): the name, in parentheses, may contain blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startedAt: fields[19] ?? '' };
  } catch {
    return { state: '', startedAt: '' };
  }
}

async function runPs(pid: number): Promise<{ state: string; startedAt: string }> {
  const args = ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)];
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  const output = await new Promise<string>((resolve) => {
    execFile('ps', args, { env, timeout: psTimeoutMs }, (err, stdout) =>
      resolve(err ? '' : stdout),
    );
  });
  const [state = '', ...startedAt] = output.trim().split(/\s+/);
  return { state, startedAt: startedAt.join(' ') };
}

async function readBootId(): Promise<string> {
  if (process.platform !== 'linux') return '';
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  } catch {
    return '';
  }
}
