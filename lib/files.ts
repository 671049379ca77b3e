import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import { codeOf } from './error-code.ts';

/**
 * Replaces a private file (0600) atomically: after a crash it has the old content or the new. The
 * temporary file is `.NAME.….tmp` in the same folder.
 */
export async function writeFileAtomic(file: string, content: string): Promise<void> {
  const folder = path.dirname(file);
  const temp = path.join(folder, `.${path.basename(file)}.${randomBytes(8).toString('hex')}.tmp`);
  try {
    await writeFileSynced(temp, content);
    await rename(temp, file);
  } catch (err) {
    await rm(temp, { force: true });
    throw err;
  }
  await syncFolder(folder);
}

/** Creates a private file (0600) that must not exist yet, and flushes it to the disk. */
export async function writeFileSynced(file: string, content: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } catch (err) {
    // For instance on a full disk: leave no partial file.
    await rm(file, { force: true });
    throw err;
  } finally {
    await handle.close();
  }
}

/** Makes renames, new names and removals in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The text of a file, or null if it does not exist. */
export async function readIfPresent(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (err) {
    if (codeOf(err) === 'ENOENT') return null;
    throw err;
  }
}

/** Removes a file or a folder with its content, also while another process still writes to it. */
export async function removeTree(target: string): Promise<void> {
  await rm(target, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}
