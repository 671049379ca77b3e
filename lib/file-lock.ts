import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
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

export type FileLock = {
  /** False once another process has taken the lock over: this one was stopped for too long. */
  isHeld(): Promise<boolean>;
  /** It was taken from a process of another host, which may only be stopped, and continue. */
  readonly isFromOtherHost: boolean;
  release(): Promise<void>;
};
export type Acquisition =
  | { readonly ok: true; readonly lock: FileLock }
  | { readonly ok: false; readonly holder: LockHolder };

export type LockOptions = {
  /** Stored with the lock, for those that it keeps out. */
  readonly purpose: string;
  /**
   * `local` (default): only processes of this host use the folder. The host's name is not
   * compared, since it changes with a container. `shared`: the lock is a lease. Its holder renews
   * it, and a lock of another host that was not renewed for a minute has expired.
   */
  readonly scope?: 'local' | 'shared';
};

type LockFile = { readonly digest: string; readonly holder: LockHolder | null };
type TakeOver = { readonly won: boolean; readonly rival: LockHolder | null };
/** What this process writes into the lock file, and its digest. */
type Own = { readonly content: string; readonly digest: string; readonly isLease: boolean };

const attempts = 100;
const retryDelayMs = 20;
/** A lock whose holder cannot be checked is stale once it was not renewed for this long. */
const leaseMs = 60_000;
/** A few renewals may fail or be late before the lease ends. */
const renewalMs = leaseMs / 5;
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
  const mine: Own = { content, digest: digestOf(content), isLease: scope === 'shared' };
  const temp = `${file}.tmp-${own.nonce}`;
  await writeExclusive(temp, content);
  try {
    let rival: LockHolder = own;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (await linkExclusive(temp, file)) return await complete(file, mine, null);
      const current = await readLockFile(file);
      if (current === null) continue;
      const holder = await findLiveHolder(file, current);
      if (holder !== null) return { ok: false, holder };
      const outcome = await takeOver(file, temp, current.digest);
      if (outcome.won) return await complete(file, mine, current.holder);
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
async function complete(file: string, own: Own, before: LockHolder | null): Promise<Acquisition> {
  const folder = path.dirname(file);
  const prefix = `${path.basename(file)}.`;
  for (const name of await readdir(folder)) {
    if (!/^(tmp|claim)-/.test(name.slice(prefix.length)) || !name.startsWith(prefix)) continue;
    const left = path.join(folder, name);
    const owner = (await readLockFile(left))?.holder;
    // Without an owner, a live process may be writing it.
    if (owner && (await findLiveness(owner)) === 'dead') await rm(left, { force: true });
  }
  const isFromOtherHost = before !== null && (await findLiveness(before)) === 'unknown';
  const endRenewals = own.isLease ? await renewRegularly(file, own) : () => Promise.resolve();
  const lock: FileLock = {
    isFromOtherHost,
    isHeld: () => new Promise((resolve) => resolve(holds(file, own.content))),
    release: async () => {
      await endRenewals();
      await release(file, own.digest);
    },
  };
  return { ok: true, lock };
}

/** At once: several turns of the thread pool would take longer than the small file itself. */
function holds(file: string, content: string): boolean {
  try {
    return readFileSync(file, 'utf8') === content;
  } catch (err) {
    if (codeOf(err) === 'ENOENT') return false;
    throw err;
  }
}

/**
 * Renews a lease: writes the same content again, so that the file system sets the time of the file
 * by the clock that it sets all of them by. The file stays open: what another process has put in
 * its place is not written to.
 */
async function renewRegularly(file: string, { content }: Own): Promise<() => Promise<void>> {
  const handle = await open(file, 'r+');
  let renewal: Promise<unknown> = Promise.resolve();
  const renew = (): void => {
    // A failure is another host's reason to take the lock over, and isHeld says so.
    renewal = renewal.then(() => handle.write(content, 0)).catch(() => undefined);
  };
  const timer = setInterval(renew, renewalMs).unref();
  return async () => {
    clearInterval(timer);
    await renewal;
    await handle.close();
  };
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
  return stats === undefined || Math.abs((await readFileClock(file)) - stats.mtimeMs) > leaseMs;
}

/** The clock that sets the times of files in a folder: on a shared one, that of its server. */
async function readFileClock(file: string): Promise<number> {
  const nonce = randomUUID();
  const probe = `${file}.tmp-${nonce}`;
  const owner = { ...(await identifyOwnProcess()), purpose: 'clock', nonce };
  try {
    await writeExclusive(probe, JSON.stringify(owner));
    return (await stat(probe)).mtimeMs;
  } catch {
    return Date.now();
  } finally {
    await rm(probe, { force: true });
  }
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
