import { expect, it } from 'vitest';

import { createSerial } from './serial.ts';

it('serial work begins only once the work before it has ended, even if it failed', async () => {
  const runOneByOne = createSerial();
  const events: string[] = [];
  let fail: (err: Error) => void = () => undefined;
  const first = runOneByOne(() => {
    events.push('first began');
    return new Promise((_resolve, reject) => (fail = reject));
  });
  const second = runOneByOne(() => Promise.resolve(events.push('second began')));
  await Promise.resolve();
  expect(events).toEqual(['first began']);
  fail(new Error('lost'));
  await expect(first).rejects.toThrow('lost');
  await expect(second).resolves.toBe(2);
});
