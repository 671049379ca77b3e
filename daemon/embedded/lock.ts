import { createHash, randomUUID } from 'node:crypto';
import { link, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

import { readIfPresent, writeFileSynced } from './files.ts';
import { identifyProcess, isAlive } from './server-identity.ts';
import { codeOf } from './result.ts';

/** `daemon`: a walletd that serves. `command`: one that ends by itself and then stops Postgres. */
export type LockPurpose = 'daemon' | 'command';

const holderSchema = z.object({
  pid: z.number().int().positive(),
  startedAt: z.string(),
  bootId: z.string(),
  purpose: z.enum(['daemon', 'command']),
  // Makes each lock's content unique, so that its digest names one lock for ever.
  nonce: z.string(),
});
export type LockHolder = Readonly<z.infer<typeof holderSchema>>;

export type Lock = { release(): Promise<void> };
export type Acquisition =
  { readonly ok: true; readonly lock: Lock } | { readonly ok: false; readonly holder: LockHolder };

type LockFile = { readonly digest: string; readonly holder: LockHolder | null };
type TakeOver = { readonly won: boolean; readonly rival: LockHolder | null };

const attempts = 100;
const retryDelayMs = 20;

/**
 * Takes the lock, or says which live process holds it. A lock whose process is gone (kill -9,
 * power cut, pid used again) is taken over. Rejects only if the folder refuses to be written.
 */
export async function acquireLock(file: string, purpose: LockPurpose): Promise<Acquisition> {
  const own = await describeOurselves(purpose);
  const content = JSON.stringify(own);
  const temp = `${file}.tmp-${own.nonce}`;
  await writeFileSynced(temp, content);
  try {
    let rival: LockHolder = own;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (await linkExclusive(temp, file)) return await settle(file, digestOf(content));
      const current = await readLockFile(file);
      if (current === null) continue;
      const holder = await liveHolderOf(current);
      if (holder !== null) return { ok: false, holder };
      const outcome = await takeOver(file, temp, current.digest);
      if (outcome.won) return await settle(file, digestOf(content));
      rival = outcome.rival ?? rival;
      await sleep(retryDelayMs);
    }
    return { ok: false, holder: rival };
  } finally {
    await rm(temp, { force: true });
  }
}

/** The live holder of a lock; null if it is free or its process is gone. */
export async function readLiveHolder(file: string): Promise<LockHolder | null> {
  const current = await readLockFile(file);
  return current === null ? null : await liveHolderOf(current);
}

/**
 * Replaces a dead lock. Two starters may both see it dead, and one may be delayed at any point, so
 * neither renames or removes what it merely believes to be there. The right to replace the lock
 * with digest D is the file `claim-D`, which only one process can create. Its owner replaces the
 * lock first and removes the claim afterwards, so whoever creates `claim-D` later finds, on
 * looking again, that D is no longer the lock. A claim whose process died is itself claimed.
 */
async function takeOver(file: string, temp: string, dead: string): Promise<TakeOver> {
  const chain: string[] = [];
  for (let victim = dead; ;) {
    const claim = `${file}.claim-${victim}`;
    chain.push(claim);
    if (await linkExclusive(temp, claim)) break;
    const claimed = await readLockFile(claim);
    if (claimed === null) return { won: false, rival: null };
    const rival = await liveHolderOf(claimed);
    if (rival !== null) return { won: false, rival };
    victim = claimed.digest;
  }
  if ((await readLockFile(file))?.digest !== dead) {
    await rm(chain.at(-1) ?? '', { force: true });
    return { won: false, rival: null };
  }
  await rename(temp, file);
  for (const claim of chain) await rm(claim, { force: true });
  return { won: true, rival: null };
}

/** Sweeps up what dead processes left, and hands out the lock. */
async function settle(file: string, digest: string): Promise<Acquisition> {
  const folder = path.dirname(file);
  const prefix = `${path.basename(file)}.`;
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix)) continue;
    const left = path.join(folder, name);
    const owner = (await readLockFile(left))?.holder;
    // Without an owner it may be one that a live starter is just writing.
    if (owner && !(await isAlive(owner))) await rm(left, { force: true });
  }
  return { ok: true, lock: { release: () => release(file, digest) } };
}

/** A process that gave up root's rights cannot remove it; its end frees the lock all the same. */
async function release(file: string, digest: string): Promise<void> {
  try {
    if ((await readLockFile(file))?.digest === digest) await rm(file, { force: true });
  } catch (err) {
    if (codeOf(err) !== 'EACCES' && codeOf(err) !== 'EPERM') throw err;
  }
}

async function describeOurselves(purpose: LockPurpose): Promise<LockHolder> {
  const identity = await identifyProcess(process.pid);
  const { pid, startedAt, bootId } = identity ?? { pid: process.pid, startedAt: '', bootId: '' };
  return { pid, startedAt, bootId, purpose, nonce: randomUUID() };
}

async function readLockFile(file: string): Promise<LockFile | null> {
  const content = await readIfPresent(file);
  if (content === null) return null;
  return { digest: digestOf(content), holder: parseHolder(content) };
}

function parseHolder(content: string): LockHolder | null {
  try {
    return holderSchema.parse(JSON.parse(content));
  } catch {
    // Locks appear complete or not at all; this one was damaged by a power cut.
    return null;
  }
}

async function liveHolderOf(lock: LockFile): Promise<LockHolder | null> {
  return lock.holder !== null && (await isAlive(lock.holder)) ? lock.holder : null;
}

async function linkExclusive(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (err) {
    if (codeOf(err) === 'EEXIST') return false;
    throw err;
  }
}

function digestOf(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 32);
}
