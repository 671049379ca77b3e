import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { fail, type Outcome } from '../outcome.ts';
import { makePrivateDir, parseJsonObject } from './files.ts';
import { findLiveness, ownIdentity, type ProcessIdentity } from '../../lib/process-identity.ts';

const pollMs = 25;
/** After this long a lock whose holder cannot be looked at counts as left behind. */
const foreignLimitMs = 60_000;

/**
 * Runs `work` while no other process holds the lock of that name. The lock of a process that died
 * is broken; a live one is waited for up to `waitMs`, then LOCK_BUSY.
 */
export async function withLock<T>(
  dir: string,
  name: string,
  waitMs: number,
  work: () => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  await makePrivateDir(dir);
  const path = join(dir, `${name}.lock`);
  const own = JSON.stringify({ ...ownIdentity(), id: randomUUID() });
  const endsAt = performance.now() + waitMs;
  while (!(await tryCreate(path, own))) {
    if (await breakIfStale(path)) continue;
    if (performance.now() >= endsAt) {
      return fail('LOCK_BUSY', `another wallet process holds ${path}`, {
        hint: 'wait for it to end and run the command again',
      });
    }
    await delay(pollMs);
  }
  try {
    return await work();
  } finally {
    if ((await readIfAny(path)) === own) await rm(path, { force: true });
  }
}

async function tryCreate(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Moves a dead process's lock out of the way; true if the caller may try again. Of two that do so
 * at once, the second may catch the first one's fresh lock, and puts it back.
 */
async function breakIfStale(path: string): Promise<boolean> {
  const content = await readIfAny(path);
  if (content === undefined) return true;
  const holder = parseHolder(content);
  // No holder: being written this very moment, or left half-written by a crash.
  const isStale = holder ? await isLeftBehind(path, holder) : await staysSame(path, content);
  if (!isStale) return false;
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return true;
  }
  if ((await readIfAny(aside)) === content) await rm(aside, { force: true });
  else await rename(aside, path);
  return true;
}

async function isLeftBehind(path: string, holder: ProcessIdentity): Promise<boolean> {
  const liveness = findLiveness(holder);
  if (liveness !== 'unknown') return liveness === 'dead';
  const stats = await stat(path).catch(() => undefined);
  // A time in the future was written while a clock was ahead, and would never be old.
  return stats !== undefined && Math.abs(Date.now() - stats.mtimeMs) > foreignLimitMs;
}

async function staysSame(path: string, content: string): Promise<boolean> {
  await delay(500);
  return (await readIfAny(path)) === content;
}

function parseHolder(content: string): ProcessIdentity | undefined {
  const value = parseJsonObject(content);
  const { pid, host, start } = value ?? {};
  return typeof pid === 'number' && typeof host === 'string' && typeof start === 'string'
    ? { pid, host, start }
    : undefined;
}

async function readIfAny(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
