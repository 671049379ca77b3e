import { findTransientRejection } from '../platform/transient-rejection.ts';
import { classifyDbError, isCommitInDoubt, sqlStateOf } from '../platform/db/db.ts';
import type { Log } from '../platform/log.ts';
import { exitCodeOf, type StopSignals } from '../process/stop-signals.ts';
import type { Fault } from '../fault.ts';
import { printFault, printLine } from './print.ts';

const failedExitCode = 1;

const fileHints: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free some space, and run the command again',
  EDQUOT: 'the disk quota is used up: free some space, and run the command again',
  EROFS: 'the file system is read-only: name another place',
  EACCES: 'see to it that the user who runs walletd may use it',
  EPERM: 'see to it that the user who runs walletd may use it',
  ENOENT: 'create it, or name another',
  EISDIR: 'it is a folder: name a file',
  EMFILE: 'this process may open too few files: raise the limit (ulimit -n)',
  ENFILE: 'this host has too many open files: raise the limit, or end something',
  ENOMEM: 'there is too little memory: free some, and run the command again',
};

/**
 * Says why a command ended that was interrupted, or failed in a way that it does not know itself.
 */
export function explainFailure(err: unknown, stop: StopSignals, log: Log): number {
  const name = stop.findName();
  if (name !== undefined) {
    const outcome = isCommitInDoubt(err)
      ? 'what it was about to do may have been done: look before you run it again'
      : 'what was not finished was undone; it can be run again';
    printLine(`walletd: interrupted by ${name}: ${outcome}`);
    return exitCodeOf[name];
  }
  log.debug({ err }, 'failed');
  printFault(toFault(err));
  return failedExitCode;
}

function toFault(err: unknown): Fault {
  const held = findTransientRejection(err);
  if (held) return { fault: held.message, hint: 'see that the service runs, and try again' };
  const message = err instanceof Error ? err.message : String(err);
  if (classifyDbError(err) === 'transient' && sqlStateOf(err) !== undefined) {
    const hint = 'see that the servers of the databases run, and try again';
    return { fault: `a database cannot be used: ${message}`, hint };
  }
  const code = err instanceof Error && 'code' in err ? String(err.code) : '';
  const hint = fileHints[code];
  if (hint !== undefined) return { fault: message, hint };
  return {
    fault: `something unexpected happened: ${message}`,
    hint: 'this is a defect: report it, with what LOG_LEVEL=debug shows',
  };
}
