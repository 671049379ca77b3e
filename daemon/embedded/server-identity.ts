import { readFile } from 'node:fs/promises';

import { codeOf } from './result.ts';
import { runToEnd } from './run.ts';

/**
 * A process beyond its number, since numbers are used again: when it started, and in which boot
 * of the host. An empty text means that the host does not tell.
 */
export type ProcessIdentity = {
  readonly pid: number;
  readonly startedAt: string;
  readonly bootId: string;
};

/** Identifies a running process; null if there is none, or only a zombie of it. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | null> {
  if (!exists(pid)) return null;
  const { state, startedAt } = await (process.platform === 'linux' ? readProc : askPs)(pid);
  if (/^[ZX]/.test(state)) return null;
  // It may have ended while we looked.
  if (startedAt === '' && !exists(pid)) return null;
  return { pid, startedAt, bootId: await readBootId() };
}

/** True if that very process still runs. What the host does not tell counts as equal. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const now = await identifyProcess(identity.pid);
  return (
    now !== null && agree(now.startedAt, identity.startedAt) && agree(now.bootId, identity.bootId)
  );
}

/** True unless the process is surely no postmaster of that data folder. */
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
    return exists(pid);
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (err) {
    return codeOf(err) === 'EPERM';
  }
}

function agree(a: string, b: string): boolean {
  return a === b || a === '' || b === '';
}

async function readProc(pid: number): Promise<{ state: string; startedAt: string }> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command name, in parentheses, may contain anything: count from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startedAt: fields[19] ?? '' };
  } catch {
    return { state: '', startedAt: '' };
  }
}

async function askPs(pid: number): Promise<{ state: string; startedAt: string }> {
  const { code, output } = await runToEnd(
    'ps',
    ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)],
    { timeoutMs: 5_000 },
  );
  const [state = '', ...startedAt] = code === 0 ? output.trim().split(/\s+/) : [];
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
