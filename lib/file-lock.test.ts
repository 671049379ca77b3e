import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { acquireFileLock, readLiveHolder, type Acquisition } from './file-lock.ts';
import { identifyProcess } from './process-identity.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'dw-lock-'));
  file = path.join(folder, 'walletd.lock');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function writeStaleLock(nonce = 'gone'): Promise<void> {
  const identity = await identifyProcess(process.pid);
  // This process's pid, but started at another time: the pid was used again.
  const holder = { ...identity, startedAt: '1', purpose: 'daemon', nonce };
  await writeFile(file, JSON.stringify(holder));
}

async function releaseAll(acquisitions: readonly Acquisition[]): Promise<void> {
  for (const acquired of acquisitions) if (acquired.ok) await acquired.lock.release();
}

test('a lock that is in use names its holder; a released lock leaves no file behind', async () => {
  const first = await acquireFileLock(file, { purpose: 'daemon' });
  const second = await acquireFileLock(file, { purpose: 'command' });
  expect(first.ok).toBe(true);
  expect(second).toMatchObject({ ok: false, holder: { pid: process.pid, purpose: 'daemon' } });
  expect(await readLiveHolder(file)).toMatchObject({ pid: process.pid });
  await releaseAll([first]);
  expect(await readLiveHolder(file)).toBeNull();
  expect(await readdir(folder)).toEqual([]);
});

test('the lock of a process that has ended, or whose pid was reused, is taken over', async () => {
  await writeStaleLock();
  await copyFile(file, `${file}.tmp-gone`);
  expect(await readLiveHolder(file)).toBeNull();
  const acquired = await acquireFileLock(file, { purpose: 'daemon' });
  expect(acquired.ok).toBe(true);
  expect(await readdir(folder)).toEqual(['walletd.lock']);
  await releaseAll([acquired]);
});

test('a lock of an earlier boot is taken over', async () => {
  const identity = await identifyProcess(process.pid);
  const holder = { ...identity, bootId: 'earlier', purpose: 'daemon', nonce: 'n' };
  await writeFile(file, JSON.stringify(holder));
  const acquired = await acquireFileLock(file, { purpose: 'daemon' });
  expect(acquired.ok).toBe(process.platform === 'linux');
  await releaseAll([acquired]);
});

test('a lock file that a power failure has emptied is taken over', async () => {
  await writeFile(file, '');
  const acquired = await acquireFileLock(file, { purpose: 'daemon' });
  expect(acquired.ok).toBe(true);
  await releaseAll([acquired]);
});

test('a takeover that was killed half-way does not block the next', async () => {
  await writeStaleLock('first');
  await acquireAndLeaveClaim();
  const acquired = await acquireFileLock(file, { purpose: 'daemon' });
  expect(acquired.ok).toBe(true);
  expect(await readdir(folder)).toEqual(['walletd.lock']);
  await releaseAll([acquired]);
});

test('of eight concurrent takeovers of a stale lock exactly one succeeds, every time', async () => {
  for (let round = 0; round < 40; round += 1) {
    await writeStaleLock(`round ${round}`);
    const all = await Promise.all(
      Array.from({ length: 8 }, () => acquireFileLock(file, { purpose: 'daemon' })),
    );
    const winners = all.filter((acquired) => acquired.ok);
    expect(winners).toHaveLength(1);
    await releaseAll(winners);
  }
  expect(await readdir(folder)).toEqual([]);
});

test('holders that release the lock or die never overlap', async () => {
  let inside = 0;
  let most = 0;
  let turns = 0;
  await writeStaleLock();
  const contend = async (): Promise<void> => {
    for (let n = 0; n < 40; n += 1) {
      const acquired = await acquireFileLock(file, { purpose: 'daemon' });
      if (!acquired.ok) continue;
      inside += 1;
      turns += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      // Half of the holders die instead of releasing.
      if (turns % 2 === 0) await writeStaleLock(`turn ${turns}`);
      else await acquired.lock.release();
    }
  };
  await Promise.all(Array.from({ length: 6 }, contend));
  expect(turns).toBeGreaterThan(10);
  expect(most).toBe(1);
});

/** Leaves the claim of a process that was killed during a takeover. */
async function acquireAndLeaveClaim(): Promise<void> {
  const { createHash } = await import('node:crypto');
  const digest = createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
    .slice(0, 32);
  const dead = { pid: process.pid, startedAt: '2', bootId: '', purpose: 'daemon', nonce: 'dead' };
  await writeFile(`${file}.claim-${digest}`, JSON.stringify(dead));
}
