import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** One process among all that ever ran here: a pid alone is given out again. */
export type ProcessIdentity = {
  readonly pid: number;
  readonly host: string;
  /** The kernel's start time of the process in clock ticks; empty where it cannot be read. */
  readonly start: string;
};

/** This process. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, host: hostname(), start: readStart(process.pid) ?? '' };
}

/** Whether a process still runs; one on another machine (a shared home) cannot be looked at. */
export function findLiveness(identity: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  if (identity.host !== hostname()) return 'unknown';
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'alive' : 'dead';
  }
  const start = readStart(identity.pid);
  const isSame = start === undefined || identity.start === '' || start === identity.start;
  return isSame ? 'alive' : 'dead';
}

/** Field 22 of proc_pid_stat(5); the name before it may hold blanks and parentheses. */
function readStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
