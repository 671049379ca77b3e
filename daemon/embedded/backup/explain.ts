import { codeOf } from '../../../lib/error-code.ts';
import { fail, type Failure } from '../../fault.ts';

const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: free some space, or name a place on another disk.',
  EDQUOT: 'The disk quota is used up: free some space, or name a place on another disk.',
  EFBIG: 'A file is too large for this file system: name another place.',
  EROFS: 'The file system is read-only: name another place.',
  EACCES: 'Run the command as the user who runs walletd, or name another place.',
  EPERM: 'Run the command as the user who runs walletd, or name another place.',
  ENOTDIR: 'A part of this path is a file: name another place.',
  ELOOP: 'The path is a cycle of links: name another place.',
  ENAMETOOLONG: 'The path is too long: name a shorter one.',
  ENOENT: 'Something was removed meanwhile: run the command again.',
  EIO: 'A disk cannot be read or written: see the log of the kernel, and name another place.',
};

/** SQLSTATE classes of a server that ends, refuses or cannot serve a connection. */
const serverState = /^(08|53|55|57P)/;
const lostConnection = /^(Connection terminated|Client has encountered|timeout expired)/;

/**
 * A failed file operation, or the loss of the server, as a failure that begins with `what`;
 * undefined for any other error.
 */
export function explainBackupError(err: unknown, what: string): Failure | undefined {
  if (!(err instanceof Error)) return undefined;
  const code = codeOf(err);
  const isOfServer =
    serverState.test(code) ||
    /^(ECONNRESET|ECONNREFUSED|EPIPE)$/.test(code) ||
    ('syscall' in err && err.syscall === 'connect') ||
    lostConnection.test(err.message);
  if (isOfServer) {
    return fail(
      `${what}: Postgres: ${err.message}.`,
      'See that walletd runs, and postgres.log in the data folder; then run the command again.',
    );
  }
  const hint = hints[code];
  return hint === undefined ? undefined : fail(`${what}: ${err.message}.`, hint);
}
