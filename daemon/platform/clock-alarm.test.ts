import { expect, it } from 'vitest';

import { createClockAlarm } from './clock-alarm.ts';
import type { Log } from './log.ts';

function createAlarm() {
  const lines: unknown[] = [];
  const log = { warn: (fields: unknown) => lines.push(fields) } as unknown as Log;
  return { alarm: createClockAlarm(log), lines };
}

it('100 reports of two kinds log at most 4 warnings, one of each kind first', () => {
  const { alarm, lines } = createAlarm();
  for (let i = 0; i < 100; i += 1) {
    alarm.report('session');
    alarm.report('API key');
  }
  expect(lines.length).toBeLessThanOrEqual(4);
  expect(lines.slice(0, 2)).toEqual([{ what: 'session' }, { what: 'API key' }]);
});

it('a deferred check warns only if it resolves to true, and not if it fails', async () => {
  const { alarm, lines } = createAlarm();
  alarm.lookLater('mailed code', () => Promise.resolve(false));
  alarm.lookLater('mailed code', () => Promise.reject(new Error('away')));
  await new Promise((resolve) => setImmediate(resolve));
  expect(lines).toEqual([]);
  alarm.lookLater('mailed code', () => Promise.resolve(true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(lines).toEqual([{ what: 'mailed code' }]);
});

it('of 1,000 deferred checks in a row at most 120 are run', () => {
  const { alarm } = createAlarm();
  let looks = 0;
  for (let i = 0; i < 1_000; i += 1) {
    alarm.lookLater('mailed code', () => {
      looks += 1;
      return Promise.resolve(false);
    });
  }
  expect(looks).toBeGreaterThan(0);
  expect(looks).toBeLessThanOrEqual(120);
});
