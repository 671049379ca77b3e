import { rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { syncFolder } from '../../../../lib/files.ts';
import { openOwnFile } from '../../../files/files.ts';
import { journalOf, partialOf, ResultsError } from './files.ts';

const blockBytes = 256 * 1024;

type Files = { readonly partial: FileHandle; readonly journal: FileHandle };

/**
 * Puts copies in the place of both files. The process of another host that had the run may only be
 * stopped: what it writes once it continues then reaches the files that it has open, and no others.
 */
export async function renewBoth(path: string, files: Files): Promise<Files> {
  const partial = await renew(partialOf(path), files.partial, false);
  return { partial, journal: await renew(journalOf(path), files.journal, true) };
}

async function renew(path: string, from: FileHandle, isAppended: boolean): Promise<FileHandle> {
  const copy = `${path}.copy`;
  await rm(copy, { force: true });
  const opened = await openOwnFile(copy, 'results', { isAppended });
  if (!opened.ok) throw new ResultsError(opened.failure.message);
  const { file } = opened.value;
  const block = Buffer.alloc(blockBytes);
  for (let position = 0; ;) {
    const { bytesRead } = await from.read(block, 0, blockBytes, position);
    if (bytesRead === 0) break;
    await file.appendFile(block.subarray(0, bytesRead));
    position += bytesRead;
  }
  await file.sync();
  await rename(copy, path);
  await from.close();
  await syncFolder(dirname(path));
  return file;
}
