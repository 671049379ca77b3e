import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { expect, it } from 'vitest';

import { findLiveness, identifyOwnProcess, identifyProcess } from './process-identity.ts';

it('a process is alive while it runs, and dead once it has ended', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const identity = await identifyProcess(child.pid ?? 0);
  if (identity === null) throw new Error('the child is not found');
  expect(await findLiveness(identity)).toBe('alive');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await findLiveness(identity)).toBe('dead');
  expect(await identifyProcess(identity.pid)).toBeNull();
});

it('another start time or boot with the same pid is another process', async () => {
  const own = await identifyOwnProcess();
  expect(await findLiveness({ ...own, startedAt: '1' })).toBe('dead');
  if (own.bootId !== '') expect(await findLiveness({ ...own, bootId: 'earlier' })).toBe('dead');
});

it('a process of another host is unknown, and an unknown value equals every value', async () => {
  const own = await identifyOwnProcess();
  expect(await findLiveness({ ...own, host: 'elsewhere' })).toBe('unknown');
  expect(await findLiveness({ pid: own.pid, host: '', startedAt: '', bootId: '' })).toBe('alive');
});
