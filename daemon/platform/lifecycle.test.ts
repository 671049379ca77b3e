import { setTimeout as sleep } from 'node:timers/promises';

import { expect, it } from 'vitest';

import { createLifecycle } from './lifecycle.ts';
import { createLog } from './log.ts';

const log = createLog('silent');
const never = () => new Promise<void>(() => undefined);

it('a release ends the parts one after another, the last registered first', async () => {
  const lifecycle = createLifecycle(log);
  const steps: string[] = [];
  for (const name of ['database', 'broker', 'server']) {
    lifecycle.defer(name, async () => {
      steps.push(`${name} begins`);
      await sleep(5);
      steps.push(`${name} ends`);
    });
  }
  expect(await lifecycle.release(1_000)).toEqual({ clean: true });
  expect(steps).toEqual([
    'server begins',
    'server ends',
    'broker begins',
    'broker ends',
    'database begins',
    'database ends',
  ]);
});

it('concurrent and repeated calls release once, and every caller waits for the end', async () => {
  const lifecycle = createLifecycle(log);
  let releases = 0;
  lifecycle.defer('part', async () => {
    await sleep(20);
    releases += 1;
  });
  const outcomes = await Promise.all([1, 2, 3].map(() => lifecycle.release(1_000)));
  expect(releases).toBe(1);
  expect(outcomes).toEqual([{ clean: true }, { clean: true }, { clean: true }]);
  expect(await lifecycle.release(1_000)).toEqual({ clean: true });
  expect(releases).toBe(1);
});

it.each([
  [
    'throws',
    () => {
      throw new Error('broken');
    },
  ],
  ['rejects', () => Promise.reject(new Error('broken'))],
  ['never ends', never],
])(
  'a releaser that %s does not stop the others, and makes the release unclean',
  async (_what, broken) => {
    const lifecycle = createLifecycle(log);
    let isReleased = false;
    lifecycle.defer('below', () => {
      isReleased = true;
    });
    lifecycle.defer('broken', broken);
    expect(await lifecycle.release(150)).toEqual({ clean: false });
    expect(isReleased).toBe(true);
  },
);

it('four releasers that never end share one deadline of a second', async () => {
  const lifecycle = createLifecycle(log);
  for (const name of ['a', 'b', 'c', 'd']) lifecycle.defer(name, never);
  // Together they have 1.3 s. If each had the full second, the limit of the race would come first.
  const limit = sleep(3_500, 'the limit of the race', { ref: false });
  expect(await Promise.race([lifecycle.release(1_000), limit])).toEqual({ clean: false });
});

it('a part registered during the release is released as well', async () => {
  const lifecycle = createLifecycle(log);
  let isReleased = false;
  lifecycle.defer('late starter', () => {
    lifecycle.defer('late', () => {
      isReleased = true;
    });
  });
  await lifecycle.release(1_000);
  expect(isReleased).toBe(true);
});

it('a part registered after the release is released at once; its failure is handled', async () => {
  const lifecycle = createLifecycle(log);
  await lifecycle.release(1_000);
  let isReleased = false;
  lifecycle.defer('late', () => {
    isReleased = true;
  });
  expect(isReleased).toBe(true);
  lifecycle.defer('broken', () => Promise.reject(new Error('broken')));
  await sleep(1);
});

it('a release leaves no timer behind that would keep the process alive', async () => {
  const countTimers = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const timers = countTimers();
  const lifecycle = createLifecycle(log);
  lifecycle.defer('part', () => sleep(1));
  await lifecycle.release(60_000);
  expect(countTimers()).toBe(timers);
});
