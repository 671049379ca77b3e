import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, expect, it, vi } from 'vitest';

import type { Log } from '../log.ts';
import { createProgressWatch, type Oldest, type ProgressWatch } from './watch.ts';

const lines: string[] = [];
const note =
  (level: string) =>
  (fields: { part: string; reason?: string }, message: string): void =>
    void lines.push([level, fields.part, message.split(':')[0], fields.reason ?? ''].join('|'));
const log = { warn: note('warn'), info: note('info') } as unknown as Log;
let watch: ProgressWatch;

const stallMs = 300;
function start(): ProgressWatch {
  lines.length = 0;
  watch = createProgressWatch({ log, stallMs, describe: (err) => `failed: ${String(err)}` });
  watch.start();
  return watch;
}
afterEach(() => watch.stop());

const stateOf = (part: string) => watch.read().find((state) => state.part === part);
const untilStalled = (part: string, isStalled = true) =>
  vi.waitFor(() => expect(stateOf(part)?.isStalled).toBe(isStalled), {
    timeout: 10_000,
    interval: 10,
  });

it('an idle part and an empty backlog are not stalled, even past the time limit', async () => {
  const part = start().watchWork('idle');
  watch.watchBacklog('empty', () => Promise.resolve(undefined));
  part.begin();
  part.rest();
  await sleep(stallMs * 2);
  expect(watch.read().map(({ part: name, ageMs, isStalled }) => [name, ageMs, isStalled])).toEqual([
    ['idle', 0, false],
    ['empty', 0, false],
  ]);
  expect(lines).toEqual([]);
});

it('work without progress is a stall, logged once at its start and once at its end', async () => {
  const part = start().watchWork('w');
  part.begin();
  part.wait('first');
  part.wait('the reason');
  await untilStalled('w');
  await sleep(stallMs);
  expect(stateOf('w')).toMatchObject({ isStalled: true, reason: 'the reason' });
  part.advance();
  await untilStalled('w', false);
  expect(lines).toEqual(['warn|w|no progress|the reason', 'info|w|progress again|']);
});

it('work that progresses now and then is not a stall', async () => {
  const part = start().watchWork('w');
  part.begin();
  for (let i = 0; i < 20; i += 1) {
    await sleep(stallMs / 6);
    part.advance();
  }
  expect(lines).toEqual([]);
});

it('a backlog is a stall once its oldest item neither changes nor advances', async () => {
  let oldest: Oldest | undefined = { key: 'a', level: 0 };
  start().watchBacklog('b', () => Promise.resolve(oldest));
  for (let level = 1; level < 10; level += 1) {
    await sleep(stallMs / 4);
    oldest = { key: 'a', level };
  }
  for (const key of ['b', 'c', 'd', 'e', 'f', 'g', 'h']) {
    await sleep(stallMs / 4);
    oldest = { key };
  }
  expect(lines).toEqual([]);
  oldest = { key: 'h', reason: 'stored reason' };
  await untilStalled('b');
  expect(lines).toEqual(['warn|b|no progress|stored reason']);
  oldest = undefined;
  await untilStalled('b', false);
});

it('a backlog whose oldest item is restarted again and again is a stall', async () => {
  let level = 0;
  start().watchBacklog('b', () =>
    Promise.resolve({ key: 'a', level: (level = level === 0 ? 5 : 0) }),
  );
  await untilStalled('b');
});

it('a backlog whose check fails or never ends is a stall; the error is its reason', async () => {
  start().watchBacklog('failing', () => Promise.reject(new Error('away')));
  watch.watchBacklog('silent', () => new Promise(() => undefined));
  await untilStalled('failing');
  await untilStalled('silent');
  expect(stateOf('failing')?.reason).toBe('failed: Error: away');
});

it('an explanation of a part precedes the reason that it reported, as one line', () => {
  let trouble: string | undefined = 'an\nalarm';
  const part = start().watchWork('w', () => trouble);
  part.wait('own');
  expect(stateOf('w')?.reason).toBe('an alarm');
  trouble = undefined;
  expect(stateOf('w')?.reason).toBe('own');
});

it('the time in which the process was stopped does not count as a stall', async () => {
  const part = start().watchWork('w');
  part.begin();
  await sleep(stallMs / 3);
  const until = performance.now() + stallMs * 3;
  // As after SIGSTOP: no timer has run meanwhile.
  while (performance.now() < until);
  await sleep(stallMs / 10);
  part.advance();
  expect(lines).toEqual([]);
});
