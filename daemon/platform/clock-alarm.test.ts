import { expect, it } from 'vitest';

import { createClockAlarm } from './clock-alarm.ts';
import type { Log } from './log.ts';

function createAlarm() {
  const lines: unknown[] = [];
  const log = { warn: (fields: unknown) => lines.push(fields) } as unknown as Log;
  return { alarm: createClockAlarm(log), lines };
}

it('warns once of each kind, however many are refused', () => {
  const { alarm, lines } = createAlarm();
  for (let i = 0; i < 100; i += 1) {
    alarm.report('session');
    alarm.report('API key');
  }
  expect(lines.length).toBeLessThanOrEqual(4);
  expect(lines.slice(0, 2)).toEqual([{ what: 'session' }, { what: 'API key' }]);
});

it('looks later, and warns of what is found only', async () => {
  const { alarm, lines } = createAlarm();
  alarm.lookLater('mailed code', () => Promise.resolve(false));
  alarm.lookLater('mailed code', () => Promise.reject(new Error('away')));
  await new Promise((resolve) => setImmediate(resolve));
  expect(lines).toEqual([]);
  alarm.lookLater('mailed code', () => Promise.resolve(true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(lines).toEqual([{ what: 'mailed code' }]);
});

it('does not look for every guess of a flood', () => {
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
