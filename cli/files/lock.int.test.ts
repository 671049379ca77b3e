import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { succeed } from '../outcome.ts';
import { withLock } from './lock.ts';
import { identifyOwnProcess } from '../../lib/process-identity.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wallet-lock-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

const take = (waitMs = 0) => withLock(dir, 'x', waitMs, () => Promise.resolve(succeed('done')));
const leave = (holder: object) =>
  writeFile(join(dir, 'x.lock'), JSON.stringify({ ...holder, nonce: 'n' }));

test('concurrent commands take turns with a lock, and leave no lock file', async () => {
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

test('processes take turns with a lock, and leave no lock file', async () => {
  // Each reads a number, waits, and writes the next one: without turns some would be lost.
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const script = `
    import { readFile, writeFile } from 'node:fs/promises';
    import { setTimeout as delay } from 'node:timers/promises';
    const { withLock } = await import(${module('./lock.ts')});
    const [dir, file] = process.argv.slice(1);
    for (let i = 0; i < 10; i += 1) {
      const done = await withLock(dir, 'x', 30_000, async () => {
        const count = Number(await readFile(file, 'utf8'));
        await delay(5);
        await writeFile(file, String(count + 1));
        return { ok: true, value: undefined };
      });
      if (!done.ok) process.exit(1);
    }`;
  const file = join(dir, 'count');
  await writeFile(file, '0');
  const codes = [1, 2].map(async () => {
    const args = ['--import', 'tsx', '--input-type=module', '-e', script, dir, file];
    const child = spawn(process.execPath, args, { stdio: 'inherit' });
    const [code] = (await once(child, 'exit')) as [number | null];
    return code;
  });
  expect(await Promise.all(codes)).toEqual([0, 0]);
  expect(await readFile(file, 'utf8')).toBe('20');
  expect(await readdir(dir)).toEqual(['count']);
});

test('a command waits for a live holder of the lock, then fails with LOCK_BUSY', async () => {
  await leave(await identifyOwnProcess());
  expect(await take(100)).toMatchObject({
    ok: false,
    failure: { reason: 'LOCK_BUSY', exitCode: 7 },
  });
});

test('a command takes over the lock of a dead process', async () => {
  const { pid } = spawnSync('true');
  await leave({ pid, host: hostname(), startedAt: '1' });
  expect(await take()).toMatchObject({ ok: true });
  expect(await readdir(dir)).toEqual([]);
});

test('a command takes over a lock whose pid was reused by another process', async () => {
  await leave({ ...(await identifyOwnProcess()), startedAt: '1' });
  expect(await take()).toMatchObject({ ok: true });
});

test('a command takes over a lock file that is incomplete', async () => {
  await writeFile(join(dir, 'x.lock'), '{"pid":');
  expect(await take(5000)).toMatchObject({ ok: true });
});

test('a lock from another host expires after a minute', async () => {
  await leave({ pid: 1, host: 'elsewhere', startedAt: '1' });
  expect(await take(100)).toMatchObject({ ok: false });
  const past = new Date(Date.now() - 61_000);
  await utimes(join(dir, 'x.lock'), past, past);
  expect(await take()).toMatchObject({ ok: true });
});

test('a lock from another host with a time far in the future is expired', async () => {
  await leave({ pid: 1, host: 'elsewhere', startedAt: '1' });
  const future = new Date(Date.now() + 86_400_000);
  await utimes(join(dir, 'x.lock'), future, future);
  expect(await take()).toMatchObject({ ok: true });
});

/** A process on a host of that name which holds the lock, and says so, until it is stopped. */
async function holdElsewhere(host: string) {
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const script = `
    import os from 'node:os';
    import { syncBuiltinESMExports } from 'node:module';
    os.hostname = () => process.argv[2];
    syncBuiltinESMExports();
    const every = setInterval;
    // Time passes a hundred times as fast for the renewals, as it does for the waiting test.
    globalThis.setInterval = (work, ms) => every(work, ms / 100);
    const { withLock } = await import(${module('./lock.ts')});
    const done = await withLock(process.argv[1], 'x', 0, async (lock) => {
      process.stdout.write('held\\n');
      await new Promise((resolve) => process.stdin.once('data', resolve));
      process.stdout.write(String(await lock.isHeld()) + '\\n');
      return { ok: true, value: undefined };
    });
    process.exit(done.ok ? 0 : 7);`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', script, dir, host];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(String(said)).toBe('held\n');
  return {
    child,
    /** Lets it go on; gives whether it has the lock still, and its exit code. */
    end: async () => {
      const said = once(child.stdout, 'data');
      child.stdin.write('\n');
      const [text] = (await said) as [Buffer];
      const [code] = (await exited) as [number | null];
      return [String(text).trim(), code];
    },
  };
}

const age = async (ms: number): Promise<void> => {
  const past = new Date(Date.now() - ms);
  await utimes(join(dir, 'x.lock'), past, past);
};

test('a process of another host keeps its lock for as long as it renews it', async () => {
  const other = await holdElsewhere('elsewhere');
  try {
    for (let minute = 0; minute < 3; minute += 1) {
      await age(61_000);
      const { mtimeMs } = await stat(join(dir, 'x.lock'));
      while ((await stat(join(dir, 'x.lock'))).mtimeMs === mtimeMs) await delay(10);
      expect(await take()).toMatchObject({
        failure: {
          reason: 'LOCK_BUSY',
          message: expect.stringContaining('on elsewhere') as string,
        },
      });
    }
  } finally {
    expect(await other.end()).toEqual(['true', 0]);
  }
  expect(await take()).toMatchObject({ ok: true });
});

test('a process that is stopped for over a minute loses its lock to another host', async () => {
  const other = await holdElsewhere('elsewhere');
  other.child.kill('SIGSTOP');
  await age(30_000);
  expect(await take()).toMatchObject({ failure: { reason: 'LOCK_BUSY' } });
  await age(61_000);
  const taken = await withLock(dir, 'x', 0, async (lock) => {
    expect(lock.isFromOtherHost).toBe(true);
    other.child.kill('SIGCONT');
    // Its renewals, and its end, leave this process the lock.
    expect(await other.end()).toEqual(['false', 0]);
    return succeed(await lock.isHeld());
  });
  expect(taken).toEqual({ ok: true, value: true });
  expect(await readdir(dir)).toEqual([]);
});
