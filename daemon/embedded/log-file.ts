import { constants } from 'node:fs';
import { copyFile, open, stat, truncate } from 'node:fs/promises';

import { lastLines } from './explain.ts';
import type { RunAs } from './run.ts';

const limitBytes = 16 * 1024 * 1024;
const tailBytes = 4_096;

/** The length of Postgres' log so far, in bytes; 0 if there is none. */
export async function measureLog(file: string): Promise<number> {
  return await stat(file).then(
    (found) => found.size,
    () => 0,
  );
}

/** The last lines that Postgres wrote after `offset` (bytes), or '' if none can be read. */
export async function readLogTail(file: string, offset = 0): Promise<string> {
  try {
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      const from = Math.max(offset > size ? 0 : offset, size - tailBytes);
      const { buffer, bytesRead } = await handle.read({
        buffer: Buffer.alloc(tailBytes),
        position: from,
      });
      return lastLines(buffer.toString('utf8', 0, bytesRead));
    } finally {
      await handle.close();
    }
  } catch {
    return '';
  }
}

/**
 * Keeps the log within 16 MiB, with one earlier part beside it. Postgres appends to the open file,
 * so the file is truncated in place: a rename would not limit it.
 */
export async function truncateLog(file: string): Promise<void> {
  if ((await measureLog(file)) <= limitBytes) return;
  await copyFile(file, `${file}.1`);
  await truncate(file);
}

/**
 * Makes both parts of the log files of a user, so that a daemon that drops root's privileges can
 * truncate them. The folder stays root's: the user cannot replace them by links.
 */
export async function changeLogOwner(file: string, { uid, gid }: RunAs): Promise<void> {
  for (const part of [file, `${file}.1`]) {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;
    const handle = await open(part, flags, 0o600);
    try {
      await handle.chown(uid, gid);
    } finally {
      await handle.close();
    }
  }
}
