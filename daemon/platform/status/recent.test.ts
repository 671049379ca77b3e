import { setTimeout as sleep } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { createRecent } from './recent.ts';

/** Something slow, which answers when a test says so. */
function createSlow() {
  let nowMs = 0;
  const pending: { resolve(value: number): void; reject(err: Error): void }[] = [];
  let count = 0;
  const read = createRecent<number>({
    load: () => {
      count += 1;
      return new Promise((resolve, reject) => pending.push({ resolve, reject }));
    },
    describe: (err) => (err as Error).message,
    now: () => nowMs,
    waitMs: 20,
  });
  return {
    read,
    answer: (value: number) => pending.shift()?.resolve(value),
    fail: (message: string) => pending.shift()?.reject(new Error(message)),
    pass: (ms: number) => void (nowMs += ms),
    readCount: () => count,
  };
}

test('callers at once, and within a second, share one reading', async () => {
  const slow = createSlow();
  const both = [slow.read(), slow.read()];
  slow.answer(7);
  const seven = { value: 7, trouble: undefined };
  expect(await Promise.all(both)).toEqual([seven, seven]);
  slow.pass(999);
  expect(await slow.read()).toEqual(seven);
  expect(slow.readCount()).toBe(1);
  slow.pass(1);
  const later = slow.read();
  slow.answer(8);
  expect(await later).toEqual({ value: 8, trouble: undefined });
});

test('what hangs is not waited for, gives the last answer, and is not read again', async () => {
  const slow = createSlow();
  const first = slow.read();
  slow.answer(7);
  await first;
  slow.pass(1_000);
  const trouble = 'the database has not answered yet';
  expect(await slow.read()).toEqual({ value: 7, trouble });
  slow.pass(60_000);
  expect(await Promise.all([slow.read(), slow.read()])).toEqual([
    { value: 7, trouble },
    { value: 7, trouble },
  ]);
  expect(slow.readCount()).toBe(2);
  slow.answer(8);
  await sleep(0);
  expect(await slow.read()).toEqual({ value: 8, trouble: undefined });
});

test('a failure is reported with the last answer, and not tried again for a second', async () => {
  const slow = createSlow();
  const first = slow.read();
  slow.fail('refused');
  expect(await first).toEqual({ value: undefined, trouble: 'refused' });
  expect(await slow.read()).toEqual({ value: undefined, trouble: 'refused' });
  expect(slow.readCount()).toBe(1);
});
