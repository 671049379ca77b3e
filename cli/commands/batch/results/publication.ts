import { readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { syncFolder } from '../../../../lib/files.ts';
import { partialOf, sortedOf } from './files.ts';
import { lookAt, parseJsonObject, type FileIdentity } from '../../../files/files.ts';

/** Results that get their name: a line of the journal says which file that is, before it happens. */
export type Published = { readonly ino: number; readonly size: number };

type Line = Record<string, unknown> | undefined;

/** The line that goes to the disk before results get their name. */
export async function describePublished(file: FileHandle): Promise<{ published: Published }> {
  const { ino, size } = await file.stat();
  return { published: { ino, size } };
}

export function readPublished(lines: readonly Line[]): Published | undefined {
  const line = lines.findLast((one) => typeof one?.['published'] === 'object');
  const { ino, size } = (line?.['published'] ?? {}) as Partial<Published>;
  return typeof ino === 'number' && typeof size === 'number' ? { ino, size } : undefined;
}

/**
 * True if the journal beside results says that they are those of a run that was cut off at its end:
 * the run that goes on replaces them.
 */
export async function isCutOffAtEnd(path: string, journal: string): Promise<boolean> {
  const text = await readFile(journal, 'utf8').catch(() => '');
  return (await findPublished(path, readPublished(text.split('\n').map(parseJsonObject)))) !== null;
}

async function findPublished(path: string, published: Published | undefined) {
  const found = published && (await lookAt(path));
  const isThat = found?.isFile() && found.ino === published?.ino && found.size === published.size;
  return isThat ? found : null;
}

/**
 * Results that have their name, of a run whose journal is still there, become partial results
 * again, so that the run can go on and end once more. Gives the file that it may replace then: the
 * sorted copy of results that are still there themselves.
 */
export async function takeBack(
  path: string,
  published: Published | undefined,
): Promise<FileIdentity | undefined> {
  const found = await findPublished(path, published);
  if (!found) return undefined;
  const partial = partialOf(path);
  const left = await lookAt(partial);
  if (left && left.ino !== found.ino) {
    // Under both names: the crash came between the second name and the removal of the first.
    if ((await lookAt(sortedOf(path)))?.ino === found.ino) await rm(sortedOf(path));
    return { dev: found.dev, ino: found.ino };
  }
  if (left) await rm(path);
  else await rename(path, partial);
  await syncFolder(dirname(path));
  return undefined;
}
