import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { createPumpWorld, type PumpWorld } from './test-support.ts';

let world: PumpWorld;

beforeEach(() => {
  vi.useFakeTimers();
  world = createPumpWorld();
});
afterEach(() => vi.useRealTimers());

const run = (durationMs = 10): Promise<unknown> => vi.advanceTimersByTimeAsync(durationMs);

it('messages that come while a batch is under way are the next batch', async () => {
  let finish: () => void = () => undefined;
  const pump = world.create(() => new Promise((resolve) => (finish = () => resolve([]))));
  const first = pump.take(world.messageOf('a'));
  await run();
  expect(pump.isBusy()).toBe(true);
  // The call before resolves for these, too.
  expect(pump.take(world.messageOf('b'))).toBeUndefined();
  expect(pump.take(world.messageOf('c'))).toBeUndefined();
  finish();
  await run();
  expect(world.events).toEqual(['begin a', 'end a', 'ack a', 'begin b,c']);
  finish();
  await run();
  await first;
  expect(pump.isBusy()).toBe(false);
  expect(world.acks).toEqual([
    { name: 'a', isUpTo: true },
    { name: 'c', isUpTo: true },
  ]);
});

it('a batch ends at its limit of messages', async () => {
  const pump = world.create(() => Promise.resolve([]), 2);
  for (const name of ['a', 'b', 'c', 'd', 'e']) void pump.take(world.messageOf(name));
  await run();
  const begun = world.listBegun();
  expect(begun).toEqual(['begin a,b', 'begin c,d', 'begin e']);
  expect(world.notes).toContain('finish: 3 left');
});

it('a batch may fill its limit of bytes, and not exceed it', async () => {
  const pump = world.create(() => Promise.resolve([]));
  for (const size of [400, 600, 1]) void pump.take(world.messageOf('x'.repeat(size)));
  await run();
  const sizes = world.listBegun().map((e) => e.length - 'begin '.length);
  expect(sizes).toEqual([400 + 1 + 600, 1]);
});

it('a batch of which all is held is no progress, and is noted as held', async () => {
  const pump = world.create((names) => Promise.resolve(names));
  void pump.take(world.messageOf('a'));
  await run();
  expect(world.notes).toEqual(['done: ', 'hold: the wallets of some messages are locked']);
  expect(world.acks).toEqual([]);
});

it('a success between failures begins their pauses, and the time to release, anew', async () => {
  let isBroken = true;
  const pump = world.create(() =>
    isBroken ? Promise.reject(new Error('no database')) : Promise.resolve([]),
  );
  for (let n = 0; n < 40; n += 1) void pump.take(world.messageOf(`m${n}`));
  await run(8_000);
  isBroken = false;
  await run(6_000);
  expect(pump.isBusy()).toBe(false);
  isBroken = true;
  const begunBefore = world.events.length;
  for (let n = 0; n < 40; n += 1) void pump.take(world.messageOf(`n${n}`));
  await run(350);
  // At once, after 100 ms, and after 200 ms more.
  expect(world.events.length - begunBefore).toBe(3);
  await run(8_000);
  expect(world.releases).toEqual([]);
});

it('a stop during the work ends the pump after that batch', async () => {
  let finish: () => void = () => undefined;
  const pump = world.create(() => new Promise((resolve) => (finish = () => resolve([]))), 1);
  const taken = pump.take(world.messageOf('a'));
  void pump.take(world.messageOf('b'));
  await run();
  world.state.isWanted = false;
  finish();
  await Promise.all([taken, run()]);
  expect(world.events).toEqual(['begin a', 'end a', 'ack a']);
  expect(world.acks).toEqual([{ name: 'a', isUpTo: true }]);
});

it('the wait for held messages ends with a stop', async () => {
  const pump = world.create((names) => Promise.resolve(names));
  const taken = pump.take(world.messageOf('h'));
  await run();
  world.state.isWanted = false;
  await run(40);
  await taken;
  expect(world.events).toEqual(['begin h', 'end h']);
});

it('a single frame acknowledges all only where nothing of it is held', async () => {
  const pump = world.create((names) => Promise.resolve(names.filter((name) => name === 'c')));
  for (const name of ['a', 'b', 'c']) void pump.take(world.messageOf(name));
  await run();
  expect(world.acks).toEqual([
    { name: 'a', isUpTo: false },
    { name: 'b', isUpTo: false },
  ]);
});

it('what is held and what has come since count together as many', async () => {
  // Fewer than 33 are in the failed batch, and more than 32 with those behind it.
  const pump = world.create(() => Promise.reject(new Error('no database')), 20);
  for (let n = 0; n < 40; n += 1) void pump.take(world.messageOf(`m${n}`));
  await run(16_000);
  expect(world.releases[0]).toBe(40);
  expect(pump.isBusy()).toBe(true);
});

it('messages wait for 10 s of failures before they go back', async () => {
  const { releases } = world;
  const pump = world.create(() => Promise.reject(new Error('no database')), 100);
  for (let n = 0; n < 40; n += 1) void pump.take(world.messageOf(`m${n}`));
  // The failures are at 0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3 and 11.3 s.
  await run(11_000);
  expect(releases).toEqual([]);
  await run(1_000);
  expect(releases).toEqual([40]);
  expect(pump.isBusy()).toBe(true);
});

it('a pump is busy with what has come, before it has begun with it', async () => {
  const pump = world.create(() => Promise.resolve([]));
  expect(pump.isBusy()).toBe(false);
  const taken = pump.take(world.messageOf('a'));
  expect(pump.isBusy()).toBe(true);
  await Promise.all([taken, run()]);
  expect(pump.isBusy()).toBe(false);
});
