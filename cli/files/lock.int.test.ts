import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { succeed } from '../outcome.ts';
import { withLock } from './lock.ts';
import { ownIdentity } from '../../lib/process-identity.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wallet-lock-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

const take = (waitMs = 0) => withLock(dir, 'x', waitMs, () => Promise.resolve(succeed('done')));
const leave = (holder: unknown) => writeFile(join(dir, 'x.lock'), JSON.stringify(holder));

test('one at a time, and nothing is left', async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await delay(5);
    inside -= 1;
    return succeed(undefined);
  };
  const all = await Promise.all(Array.from({ length: 8 }, () => withLock(dir, 'x', 10_000, work)));
  expect(all.every(({ ok }) => ok)).toBe(true);
  expect(most).toBe(1);
  expect(await readdir(dir)).toEqual([]);
});

test('a lock with a live holder is waited for, and then reported', async () => {
  await leave(ownIdentity());
  expect(await take(100)).toMatchObject({
    ok: false,
    failure: { reason: 'LOCK_BUSY', exitCode: 7 },
  });
});

test('the lock of a dead process is broken', async () => {
  const { pid } = spawnSync('true');
  await leave({ pid, host: hostname(), start: '1' });
  expect(await take()).toMatchObject({ ok: true });
  expect(await readdir(dir)).toEqual([]);
});

test.runIf(process.platform === 'linux')('so is one whose pid was given out again', async () => {
  await leave({ ...ownIdentity(), start: '1' });
  expect(await take()).toMatchObject({ ok: true });
});

test('a lock left half-written is broken', async () => {
  await writeFile(join(dir, 'x.lock'), '{"pid":');
  expect(await take(5000)).toMatchObject({ ok: true });
});

test('a lock from another machine counts as left behind after a minute', async () => {
  await leave({ pid: 1, host: 'elsewhere', start: '1' });
  expect(await take(100)).toMatchObject({ ok: false });
  const past = new Date(Date.now() - 61_000);
  await utimes(join(dir, 'x.lock'), past, past);
  expect(await take()).toMatchObject({ ok: true });
});

test('one from another machine of a time far in the future counts as left behind too', async () => {
  await leave({ pid: 1, host: 'elsewhere', start: '1' });
  const future = new Date(Date.now() + 86_400_000);
  await utimes(join(dir, 'x.lock'), future, future);
  expect(await take()).toMatchObject({ ok: true });
});
