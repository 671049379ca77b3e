import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { createPumpWorld, type PumpWorld } from './test-support.ts';

let world: PumpWorld;

beforeEach(() => {
  vi.useFakeTimers();
  world = createPumpWorld();
});
afterEach(() => vi.useRealTimers());

const run = (durationMs = 10): Promise<unknown> => vi.advanceTimersByTimeAsync(durationMs);

it('messages are acknowledged after their work has ended, all with one frame', async () => {
  let finish: () => void = () => undefined;
  const pump = world.create(() => new Promise((resolve) => (finish = () => resolve([]))));
  for (const name of ['a', 'b', 'c']) void pump.take(world.messageOf(name));
  await run();
  expect(world.events).toEqual(['begin a,b,c']);
  finish();
  await run();
  expect(world.events).toEqual(['begin a,b,c', 'end a,b,c', 'ack c']);
  expect(world.acks).toEqual([{ name: 'c', isUpTo: true }]);
  expect(world.notes).toEqual(['done: a,b,c', 'finish: 0 left']);
  expect(pump.isBusy()).toBe(false);
});

it('work that fails acknowledges nothing, and the same messages are tried again', async () => {
  let failures = 3;
  const pump = world.create(() => {
    failures -= 1;
    return failures >= 0 ? Promise.reject(new Error('no database')) : Promise.resolve([]);
  });
  void pump.take(world.messageOf('a'));
  void pump.take(world.messageOf('b'));
  await run();
  expect(world.acks).toEqual([]);
  await run(5_000);
  expect(world.events).toEqual([...Array<string>(4).fill('begin a,b'), 'end a,b', 'ack b']);
  expect(world.notes.filter((note) => note.startsWith('hold'))).toHaveLength(3);
});

it('of a batch with held messages each other one is acknowledged by itself', async () => {
  let held: string[] = ['b'];
  const pump = world.create(() => Promise.resolve(held));
  for (const name of ['a', 'b', 'c']) void pump.take(world.messageOf(name));
  await run();
  expect(world.acks).toEqual([
    { name: 'a', isUpTo: false },
    { name: 'c', isUpTo: false },
  ]);
  expect(world.notes).toContain('done: a,c');
  held = [];
  await run(1_000);
  expect(world.acks.slice(2)).toEqual([{ name: 'b', isUpTo: true }]);
});

it('held messages are handed over again before later ones', async () => {
  let held: string[] = ['a'];
  const pump = world.create(() => Promise.resolve(held));
  void pump.take(world.messageOf('a'));
  await run();
  void pump.take(world.messageOf('b'));
  await run(1_000);
  held = [];
  await run(1_000);
  const begun = world.listBegun();
  expect(begun[0]).toBe('begin a');
  expect(new Set(begun.slice(1))).toEqual(new Set(['begin a,b', 'begin a']));
  expect(begun.indexOf('begin b')).toBe(-1);
  expect(world.acks.map(({ name }) => name)).toEqual(['b', 'a']);
});

it('of a batch with held messages at least half is new', async () => {
  const pump = world.create(
    (names) => Promise.resolve(names.filter((name) => name.startsWith('h'))),
    4,
  );
  for (const name of ['h1', 'h2', 'h3', 'h4']) void pump.take(world.messageOf(name));
  for (const name of ['a', 'b', 'c', 'd']) void pump.take(world.messageOf(name));
  await run();
  const begun = world.listBegun();
  expect(begun.slice(0, 3)).toEqual([
    ...['begin h1,h2,h3,h4', 'begin h1,h2,h3,h4,a,b', 'begin h1,h2,h3,h4,c,d'],
  ]);
});

it('a batch ends at its limit of bytes, and the first message may be larger', async () => {
  const pump = world.create(() => Promise.resolve([]));
  for (const size of [2_000, 400, 600, 1]) void pump.take(world.messageOf('x'.repeat(size)));
  await run();
  const sizes = world.listBegun().map((e) => e.length - 'begin '.length);
  expect(sizes).toEqual([2_000, 400 + 1 + 600, 1]);
});

it('a channel that was lost during the work takes no acknowledgement, and is no error', async () => {
  const pump = world.create(() => {
    world.state.isChannelLost = true;
    world.state.isWanted = false;
    return Promise.resolve([]);
  });
  await Promise.all([pump.take(world.messageOf('a')), run()]);
  expect(world.acks).toEqual([]);
});

it('after a stop what failed is not tried again, and stays unacknowledged', async () => {
  const pump = world.create(() => Promise.reject(new Error('no database')));
  const taken = pump.take(world.messageOf('a'));
  await run(500);
  const { length } = world.events;
  world.state.isWanted = false;
  await run(10_000);
  await taken;
  expect(world.events).toHaveLength(length);
  expect(world.acks).toEqual([]);
});

/** Work that always fails, and when it was begun. */
function createFailing(messages: number) {
  const begunAtMs: number[] = [];
  const sizes: number[] = [];
  const startMs = performance.now();
  const pump = world.create((names) => {
    begunAtMs.push(performance.now() - startMs);
    sizes.push(names.length);
    return Promise.reject(new Error('no database'));
  }, 100);
  for (let n = 0; n < messages; n += 1) void pump.take(world.messageOf(`m${n}`));
  return { begunAtMs, sizes, pump };
}

it('the pause after a failure doubles up to 5 s', async () => {
  const { begunAtMs, pump } = createFailing(2);
  await run(30_000);
  expect(pump.isBusy()).toBe(true);
  const pauses = begunAtMs.slice(1).map((ms, i) => Math.round((ms - begunAtMs[i]!) / 50) * 50);
  expect(pauses.slice(0, 8)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
});

it('many messages that cannot be handled for 10 s go back to the queue, and few do not', async () => {
  const { sizes } = createFailing(40);
  await run(6_000);
  expect(world.releases).toEqual([]);
  await run(9_000);
  expect(world.releases).toEqual([40]);
  await run(10_000);
  expect(new Set(sizes)).toEqual(new Set([40, 16]));
  expect(sizes.at(-1)).toBe(16);
  world.releases.length = 0;
  createFailing(32);
  await run(30_000);
  expect(world.releases).toEqual([]);
});

it('held messages are tried four times a second, and at once with what comes', async () => {
  const pump = world.create((names) => Promise.resolve(names.filter((name) => name === 'h')));
  void pump.take(world.messageOf('h'));
  await run(1_000);
  const tries = world.events.filter((event) => event === 'begin h').length;
  expect(tries).toBeGreaterThanOrEqual(4);
  expect(tries).toBeLessThanOrEqual(5);
  void pump.take(world.messageOf('a'));
  await run(40);
  expect(world.acks.map(({ name }) => name)).toEqual(['a']);
  expect(new Set(world.notes)).toEqual(
    new Set([
      'done: ',
      'done: a',
      'finish: 1 left',
      'hold: the wallets of some messages are locked',
    ]),
  );
});
