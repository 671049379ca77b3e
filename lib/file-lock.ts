import { createHash, randomUUID } from 'node:crypto';
import { link, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { codeOf } from './error-code.ts';
import { findLiveness, identifyOwnProcess, type ProcessIdentity } from './process-identity.ts';

/** The process that has a lock. */
export type LockHolder = ProcessIdentity & {
  readonly purpose: string;
  /** Makes each lock's content unique, so that its digest identifies one acquisition. */
  readonly nonce: string;
};

export type FileLock = { release(): Promise<void> };
export type Acquisition =
  | { readonly ok: true; readonly lock: FileLock }
  | { readonly ok: false; readonly holder: LockHolder };

export type LockOptions = {
  /** Stored with the lock, for those that it keeps out. */
  readonly purpose: string;
  /**
   * `local` (default): only processes of this host use the folder. The host's name is not
   * compared, since it changes with a container. `shared`: a lock of another host expires after a
   * minute.
   */
  readonly scope?: 'local' | 'shared';
};

type LockFile = { readonly digest: string; readonly holder: LockHolder | null };
type TakeOver = { readonly won: boolean; readonly rival: LockHolder | null };

const attempts = 100;
const retryDelayMs = 20;
/** A lock whose holder cannot be checked is stale after this long. */
const foreignLimitMs = 60_000;
/** Content that cannot be parsed is stale if it stays the same for this long. */
const incompleteMs = 500;
const noLinkCodes = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/**
 * Acquires an exclusive lock file, or returns its live holder. The lock of a process that has ended
 * (kill -9, power failure, reused pid) is taken over. Does not wait. Rejects only if the folder
 * cannot be written.
 */
export async function acquireFileLock(
  file: string,
  { purpose, scope = 'local' }: LockOptions,
): Promise<Acquisition> {
  const seen = await readLiveHolder(file);
  if (seen !== null) return { ok: false, holder: seen };
  const identity = await identifyOwnProcess();
  const host = scope === 'shared' ? identity.host : '';
  const own: LockHolder = { ...identity, host, purpose, nonce: randomUUID() };
  const content = JSON.stringify(own);
  const temp = `${file}.tmp-${own.nonce}`;
  await writeExclusive(temp, content);
  try {
    let rival: LockHolder = own;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (await linkExclusive(temp, file)) return await complete(file, digestOf(content));
      const current = await readLockFile(file);
      if (current === null) continue;
      const holder = await findLiveHolder(file, current);
      if (holder !== null) return { ok: false, holder };
      const outcome = await takeOver(file, temp, current.digest);
      if (outcome.won) return await complete(file, digestOf(content));
      rival = outcome.rival ?? rival;
      await sleep(retryDelayMs);
    }
    return { ok: false, holder: rival };
  } finally {
    await rm(temp, { force: true });
  }
}

/** The live holder of a lock; null if the lock is free or stale. */
export async function readLiveHolder(file: string): Promise<LockHolder | null> {
  const current = await readLockFile(file);
  return current === null ? null : await findLiveHolder(file, current);
}

/**
 * Replaces a stale lock. Two processes may both find it stale, and one may be delayed at any point,
 * so none renames or removes the lock by its name alone. The right to replace the lock with digest
 * D is the file `claim-D`, which only one process can create. Its owner replaces the lock first and
 * removes the claim afterwards, so a process that creates `claim-D` later reads the lock again and
 * finds that it is no longer D. A claim whose process has ended is itself claimed.
 */
async function takeOver(file: string, temp: string, stale: string): Promise<TakeOver> {
  const chain: string[] = [];
  for (let victim = stale; ;) {
    const claim = `${file}.claim-${victim}`;
    chain.push(claim);
    if (await linkExclusive(temp, claim)) break;
    const claimed = await readLockFile(claim);
    if (claimed === null) return { won: false, rival: null };
    const rival = await findLiveHolder(claim, claimed);
    if (rival !== null) return { won: false, rival };
    victim = claimed.digest;
  }
  if ((await readLockFile(file))?.digest !== stale) {
    await rm(chain.at(-1) ?? '', { force: true });
    return { won: false, rival: null };
  }
  await rename(temp, file);
  for (const claim of chain) await rm(claim, { force: true });
  return { won: true, rival: null };
}

/** Removes temporary files and claims of processes that have ended, and returns the lock. */
async function complete(file: string, digest: string): Promise<Acquisition> {
  const folder = path.dirname(file);
  const prefix = `${path.basename(file)}.`;
  for (const name of await readdir(folder)) {
    if (!/^(tmp|claim)-/.test(name.slice(prefix.length)) || !name.startsWith(prefix)) continue;
    const left = path.join(folder, name);
    const owner = (await readLockFile(left))?.holder;
    // Without an owner, a live process may be writing it.
    if (owner && (await findLiveness(owner)) === 'dead') await rm(left, { force: true });
  }
  return { ok: true, lock: { release: () => release(file, digest) } };
}

/** A process that has dropped root's privileges cannot remove the file; its end frees the lock. */
async function release(file: string, digest: string): Promise<void> {
  try {
    if ((await readLockFile(file))?.digest === digest) await rm(file, { force: true });
  } catch (err) {
    if (codeOf(err) !== 'EACCES' && codeOf(err) !== 'EPERM') throw err;
  }
}

/** Waits a little for content that cannot be parsed: a live process may be writing it. */
async function findLiveHolder(file: string, seen: LockFile): Promise<LockHolder | null> {
  if (seen.holder === null) {
    await sleep(incompleteMs);
    const again = await readLockFile(file);
    return again === null || again.digest === seen.digest ? null : findLiveHolder(file, again);
  }
  const liveness = await findLiveness(seen.holder);
  if (liveness === 'dead') return null;
  return liveness === 'unknown' && (await isExpired(file)) ? null : seen.holder;
}

async function isExpired(file: string): Promise<boolean> {
  const stats = await stat(file).catch(() => undefined);
  // A time in the future was written while a clock was ahead, and would never expire.
  return stats === undefined || Math.abs(Date.now() - stats.mtimeMs) > foreignLimitMs;
}

async function readLockFile(file: string): Promise<LockFile | null> {
  try {
    const content = await readFile(file, 'utf8');
    return { digest: digestOf(content), holder: parseHolder(content) };
  } catch (err) {
    if (codeOf(err) === 'ENOENT') return null;
    throw err;
  }
}

/** The holder; null for content that a power failure or a crash has damaged. */
function parseHolder(content: string): LockHolder | null {
  try {
    const value = JSON.parse(content) as Partial<LockHolder>;
    const { pid = 0, host = '', startedAt = '', bootId = '', purpose = '', nonce } = value;
    const isText = [host, startedAt, bootId, purpose].every((text) => typeof text === 'string');
    if (!Number.isSafeInteger(pid) || pid <= 0 || !isText || typeof nonce !== 'string') return null;
    return { pid, host, startedAt, bootId, purpose, nonce };
  } catch {
    return null;
  }
}

/** Gives a complete file a second name, which must not exist; a copy where links do not. */
async function linkExclusive(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (err) {
    if (codeOf(err) === 'EEXIST') return false;
    if (!noLinkCodes.includes(codeOf(err))) throw err;
  }
  try {
    await writeExclusive(to, await readFile(from, 'utf8'));
    return true;
  } catch (err) {
    if (codeOf(err) === 'EEXIST') return false;
    throw err;
  }
}

async function writeExclusive(file: string, content: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(content);
  } catch (err) {
    await rm(file, { force: true });
    throw err;
  } finally {
    await handle.close();
  }
}

function digestOf(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 32);
}
