import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { acquireFileLock, type FileLock, type LockHolder } from '../../lib/file-lock.ts';
import { fail, type Outcome } from '../outcome.ts';
import { makePrivateDir } from './files.ts';
import { notSent, tryStorage } from './storage-failure.ts';

const pollMs = 25;

/**
 * Runs `work` while no other process has the lock of that name. Takes over the lock of a process
 * that has ended; waits for a live one up to `waitMs`, then fails with LOCK_BUSY. A process that
 * was stopped for a minute may have lost the lock to one of another host: see `lock.isHeld()`.
 * `consequence`: what has not happened where the lock cannot be written.
 */
export async function withLock<T>(
  dir: string,
  name: string,
  waitMs: number,
  work: (lock: FileLock) => Promise<Outcome<T>>,
  consequence = notSent,
): Promise<Outcome<T>> {
  const made = await makePrivateDir(dir, consequence);
  if (!made.ok) return made;
  const path = join(dir, `${name}.lock`);
  const endsAt = performance.now() + waitMs;
  for (;;) {
    const tried = await tryStorage(path, consequence, () =>
      acquireFileLock(path, { purpose: 'command', scope: 'shared' }),
    );
    if (!tried.ok) return tried;
    const acquired = tried.value;
    if (acquired.ok) {
      try {
        return await work(acquired.lock);
      } finally {
        await acquired.lock.release();
      }
    }
    if (performance.now() >= endsAt) {
      return fail(
        'LOCK_BUSY',
        `another wallet process (${describeHolder(acquired.holder)}) holds ${path}`,
        {
          hint: 'wait for it to end and run the command again',
        },
      );
    }
    await delay(pollMs);
  }
}

const describeHolder = ({ pid, host }: LockHolder): string =>
  host === '' || host === hostname() ? `pid ${pid}` : `pid ${pid} on ${host}`;
