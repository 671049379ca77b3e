import { dirname } from 'node:path';
import { getSystemErrorMap } from 'node:util';

import { noHome, type Paths } from '../config/config.ts';
import { fail, succeed, type CliFailure, type Outcome } from '../outcome.ts';

/** For failures before a command has asked the server for anything. */
export const notSent = 'nothing was sent';

/**
 * Runs a step on files of the command line's own. What the file system refuses is a failure; other
 * errors are thrown on. `consequence` says what has not happened.
 */
export async function tryStorage<T>(
  path: string,
  consequence: string,
  work: () => Promise<T>,
  verb: 'write' | 'read' | 'remove' = 'write',
): Promise<Outcome<T>> {
  try {
    return succeed(await work());
  } catch (error) {
    const { code, errno, path: found } = error as NodeJS.ErrnoException;
    if (code === undefined || errno === undefined) throw error;
    const described = getSystemErrorMap().get(errno)?.[1] ?? code;
    const what = `cannot ${verb} ${describePlace(path, found)}: ${described} (${code})`;
    const message = consequence === '' ? what : `${what}; ${consequence}`;
    const { failure } = fail('STORAGE_UNAVAILABLE', message);
    return { ok: false, failure: { ...failure, path } };
  }
}

/** The folder that is in the way, where it is not that of the file itself. */
function describePlace(path: string, found: string | undefined): string {
  const isElsewhere = found !== undefined && !found.startsWith(dirname(path));
  return isElsewhere ? `${path} (at ${found})` : path;
}

/** Adds which variable chooses another folder to a failure about one of the two. */
export function nameFolderVariable(failure: CliFailure, paths: Paths): CliFailure {
  const { path, ...printed } = failure;
  if (path === undefined) return failure;
  const isState = path.startsWith(paths.stateDir);
  const [variable, folder] = isState
    ? ['WALLET_STATE_DIR', paths.stateDir]
    : ['WALLET_CONFIG_DIR', paths.configDir];
  const choice = `choose a folder in place of ${folder} with ${variable}=FOLDER`;
  const isHomeless = paths.homeProblem !== undefined && path.startsWith(noHome);
  const why = isHomeless ? `${paths.homeProblem}: ` : '';
  const hint = failure.hint === undefined ? choice : `${choice}, or ${failure.hint}`;
  return { ...printed, message: why + printed.message, hint };
}
