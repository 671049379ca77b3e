import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { sleepUnlessAborted } from './abort.ts';
import { createWakeUp } from './wake-up.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('a wait ends with true when it is woken', async () => {
  const signal = createWakeUp();
  const waiting = signal.wait(1_000);
  signal.wake();
  expect(await waiting).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

it('a wait ends with false when its time has passed', async () => {
  const signal = createWakeUp();
  const waiting = signal.wait(1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await waiting).toBe(false);
});

it('a wake-up before the wait ends it at once, and only that one', async () => {
  const signal = createWakeUp();
  signal.wake();
  signal.wake();
  expect(await signal.wait(1_000)).toBe(true);
  const second = signal.wait(1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await second).toBe(false);
});

it('a wake-up that ended a wait is not kept for the next one', async () => {
  const signal = createWakeUp();
  const first = signal.wait();
  signal.wake();
  await first;
  const second = signal.wait(1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await second).toBe(false);
});

it('a wake-up that was reset does not end the next wait', async () => {
  const signal = createWakeUp();
  signal.wake();
  signal.reset();
  const waiting = signal.wait(1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await waiting).toBe(false);
});

it('a sleep ends when its signal is aborted, also if that was before the sleep', async () => {
  vi.useRealTimers();
  const controller = new AbortController();
  const sleeping = sleepUnlessAborted(60_000, controller.signal);
  controller.abort();
  await sleeping;
  await sleepUnlessAborted(60_000, controller.signal);
  expect(controller.signal.aborted).toBe(true);
});
