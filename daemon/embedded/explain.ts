import { codeOf } from '../../lib/error-code.ts';
import { fail, type Failure } from '../fault.ts';

export const ownDatabaseHint =
  'Or use a Postgres of your own: set AUTH_DATABASE_URL, WALLET_DATABASE_URL and ' +
  'STATEMENT_DATABASE_URL.';

/** For commands, which never create a database. */
export const noDatabaseHint =
  'Name the folder of the database with WALLETD_DATA_DIR, or create one with `walletd start` or ' +
  `\`walletd migrate\`. ${ownDatabaseHint}`;

/** Hints for errors of the file system, by their code. */
export const folderHints: Readonly<Record<string, string>> = {
  ENOENT: 'No folder can be made there: name another with WALLETD_DATA_DIR.',
  ENOSPC: 'The disk is full: free some space and start again.',
  EDQUOT: 'The disk quota is used up: free some space and start again.',
  EROFS: 'The file system is read-only: name another folder with WALLETD_DATA_DIR.',
  EACCES: 'Run walletd as the owner of the folder, or name another with WALLETD_DATA_DIR.',
  EPERM: 'Run walletd as the owner of the folder, or name another with WALLETD_DATA_DIR.',
  EEXIST: 'A part of this path is a file: name another folder with WALLETD_DATA_DIR.',
  ENOTDIR: 'A part of this path is a file: name another folder with WALLETD_DATA_DIR.',
  ELOOP: 'The path is a cycle of links: name another folder with WALLETD_DATA_DIR.',
  ENAMETOOLONG: 'The path is too long: name a shorter one with WALLETD_DATA_DIR.',
};

/** A refused file operation in the data folder as a failure; undefined for any other error. */
export function explainFolderError(err: unknown, dataDir: string): Failure | undefined {
  const hint = folderHints[codeOf(err)];
  if (hint === undefined || !(err instanceof Error)) return undefined;
  return fail(`The data folder ${dataDir} cannot be used: ${err.message}.`, hint);
}

const outputHints: readonly (readonly [RegExp, string])[] = [
  [
    /No space left on device|Disk quota exceeded/,
    'The disk is full: free some space in the data folder and start again.',
  ],
  [
    /error while loading shared libraries|Library not loaded/,
    'Install the library that is named above.',
  ],
  [
    /could not look up effective user ID/,
    'The user that walletd runs as has no entry in /etc/passwd: add one.',
  ],
  [
    /could not (create|map|resize).*shared memory|shared memory segment.*failed/,
    'The host allows too little shared memory: give it more (containers: --shm-size).',
  ],
];

/** The output of a program that failed, with a hint. `output` is its last lines. */
export function explainOutput(what: string, output: string, defaultHint: string): Failure {
  const known = outputHints.find(([pattern]) => pattern.test(output));
  const text = output === '' ? 'It printed nothing.' : `It printed:\n${output}`;
  return fail(`${what} ${text}`, `${known?.[1] ?? defaultHint} ${ownDatabaseHint}`);
}

/** The last lines of a text, at most ten, without blank ones. */
export function lastLines(text: string): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-10)
    .join('\n');
}
