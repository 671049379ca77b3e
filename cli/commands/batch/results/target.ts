import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';

import { askYes } from '../../shared/confirm.ts';
import type { Context } from '../../../context.ts';
import { fail, failUsage, succeed, type Outcome } from '../../../outcome.ts';
import { lookAt, type FileIdentity } from '../../../files/files.ts';
import { journalOf, partialOf, sortedOf } from './files.ts';
import { isCutOffAtEnd } from './publication.ts';
import { isResultsHead } from './results.ts';

/**
 * Which file the results of a run may replace; undefined where there is none. Results of an earlier
 * run are replaced with `--yes`, so that the same command can be run again. Anything else is
 * replaced with `--overwrite` only.
 */
export async function checkResultsTarget(
  context: Context,
  {
    path,
    input,
    mayOverwrite,
    isKnownToBeOurs,
  }: {
    readonly path: string;
    /** The file that is read, or `-`. */
    readonly input: string;
    readonly mayOverwrite: boolean;
    /** The name is one that the command made: no question for results of an earlier run. */
    readonly isKnownToBeOurs: boolean;
  },
): Promise<Outcome<FileIdentity | undefined>> {
  try {
    const own = input === '-' ? undefined : await findOwnFile(path, input);
    if (own !== undefined) {
      const problem = `${own} is the file that is read, so it is not replaced`;
      return failUsage('results', problem, otherName);
    }
    const found = await lookAt(path);
    if (!found) return succeed(undefined);
    if (!found.isFile()) {
      const what = found.isSymbolicLink() ? 'a symbolic link' : 'not a regular file';
      return failUsage('results', `${path} is ${what}, so it is not replaced`, otherName);
    }
    if (found.uid !== (process.geteuid?.() ?? found.uid)) {
      const problem = `${path} belongs to another user (id ${found.uid}), so it is not replaced`;
      return failUsage('results', problem, otherName);
    }
    const { dev, ino } = found;
    if (await isCutOffAtEnd(path, journalOf(path))) return succeed({ dev, ino });
    if (mayOverwrite) return succeed({ dev, ino });
    const isOurs = await holdsResults(path);
    if (!isOurs && (context.isConfirmed || !context.canPrompt)) {
      const problem = `${path} exists and holds no results of a batch, so it is not overwritten`;
      return failUsage('results', problem, `${otherName}, or add --overwrite`);
    }
    if (context.isConfirmed || (isOurs && isKnownToBeOurs)) return succeed({ dev, ino });
    if (!context.canPrompt) {
      return fail('CONFIRMATION_REQUIRED', `${path} exists, and is overwritten only with --yes`, {
        field: 'results',
        hint: `${otherName}, or add --yes`,
      });
    }
    const asked = await askYes(context, `${path} exists. Overwrite it?`);
    return asked.ok ? succeed({ dev, ino }) : asked;
  } catch (error) {
    return failUsage('results', `cannot use ${path}: ${(error as Error).message}`, otherName);
  }
}

const otherName = 'name another file with --results';

async function holdsResults(path: string): Promise<boolean> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    return await isResultsHead(file);
  } finally {
    await file.close();
  }
}

/** Which of the files that a run writes is the one that it reads; undefined if none is. */
async function findOwnFile(path: string, input: string): Promise<string | undefined> {
  const read = await stat(input).catch(() => undefined);
  if (!read) return undefined;
  for (const own of [path, partialOf(path), journalOf(path), sortedOf(path)]) {
    const found = await lookAt(own);
    if (found?.dev === read.dev && found.ino === read.ino) return own;
  }
  return undefined;
}
