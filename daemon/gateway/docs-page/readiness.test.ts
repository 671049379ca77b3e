import { expect, it } from 'vitest';

import { createTroubleFinder, describeReadiness } from './readiness.ts';

it('services are asked once a second, and once for all who ask meanwhile', async () => {
  let nowMs = 0;
  let asked = 0;
  const find = createTroubleFinder(
    () => {
      asked += 1;
      return Promise.resolve([`answer ${asked}`]);
    },
    { everyMs: 1_000, elapsedMs: () => nowMs },
  );
  expect(await Promise.all([find(), find()])).toEqual([['answer 1'], ['answer 1']]);
  nowMs = 999;
  expect(await find()).toEqual(['answer 1']);
  nowMs = 1_000;
  expect(await find()).toEqual(['answer 2']);
});

it.each([
  [true, [], 200, 'ready\n'],
  [true, ['no wallet'], 200, 'ready, degraded; no wallet\n'],
  [false, [], 503, 'not ready\n'],
  [false, ['no auth', 'no wallet'], 503, 'not ready; no auth; no wallet\n'],
])('readiness %s with %o is answered %i %s', (isReady, troubles, status, text) => {
  expect(describeReadiness(isReady, troubles)).toEqual({ status, text });
});
