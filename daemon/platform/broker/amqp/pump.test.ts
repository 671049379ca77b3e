import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { createLog } from '../../log.ts';
import { createPump, type Work } from './pump.ts';

type Ack = { readonly name: string; readonly isUpTo: boolean };

let acks: Ack[];
/** What happened, in order: batches that were begun and ended, and acknowledgements. */
let events: string[];
let notes: string[];
let isWanted: boolean;
let isChannelLost: boolean;
let tag: number;
/** How many messages were offered to be given back to the queue. */
let releases: number[];

beforeEach(() => {
  vi.useFakeTimers();
  [acks, events, notes, isWanted, isChannelLost, tag] = [[], [], [], true, false, 0];
  releases = [];
});
afterEach(() => vi.useRealTimers());

const nameOf = ({ content }: ConsumeMessage): string => content.toString();
const messageOf = (name: string): ConsumeMessage =>
  ({ content: Buffer.from(name), fields: { deliveryTag: (tag += 1) } }) as ConsumeMessage;

const channel = {
  ack: (message: ConsumeMessage, isUpTo = false) => {
    if (isChannelLost) throw new Error('the channel is closed');
    acks.push({ name: nameOf(message), isUpTo });
    events.push(`ack ${nameOf(message)}`);
  },
} as unknown as ConfirmChannel;

/** A pump whose batches become what `work` says. */
function create(work: (names: readonly string[]) => Promise<readonly string[]>, messages = 10) {
  const begin: Work = async (batch) => {
    const names = batch.map(nameOf);
    events.push(`begin ${names.join()}`);
    const held = await work(names);
    events.push(`end ${names.join()}`);
    return batch.filter((message) => held.includes(nameOf(message)));
  };
  const nothing = (): void => undefined;
  return createPump(channel, begin, {
    isWanted: () => isWanted,
    log: createLog('silent'),
    progress: {
      ...{ begin: nothing, open: nothing, close: nothing, stop: nothing },
      hold: (reason) => void notes.push(`hold: ${reason}`),
      finish: (left) => void notes.push(`finish: ${left} left`),
    },
    window: {
      note: (done) => void notes.push(`done: ${done.map(nameOf).join()}`),
      release: (takeAll) => {
        const all = takeAll();
        releases.push(all.length);
        return Promise.resolve(all.slice(0, 16));
      },
    },
    limits: { messages, bytes: 1_000 },
  });
}

const run = (durationMs = 10): Promise<unknown> => vi.advanceTimersByTimeAsync(durationMs);

it('messages are acknowledged after their work has ended, all with one frame', async () => {
  let finish: () => void = () => undefined;
  const pump = create(() => new Promise((resolve) => (finish = () => resolve([]))));
  for (const name of ['a', 'b', 'c']) void pump.take(messageOf(name));
  await run();
  expect(events).toEqual(['begin a,b,c']);
  finish();
  await run();
  expect(events).toEqual(['begin a,b,c', 'end a,b,c', 'ack c']);
  expect(acks).toEqual([{ name: 'c', isUpTo: true }]);
  expect(notes).toEqual(['done: a,b,c', 'finish: 0 left']);
  expect(pump.isBusy()).toBe(false);
});

it('work that fails acknowledges nothing, and the same messages are tried again', async () => {
  let failures = 3;
  const pump = create(() => {
    failures -= 1;
    return failures >= 0 ? Promise.reject(new Error('no database')) : Promise.resolve([]);
  });
  void pump.take(messageOf('a'));
  void pump.take(messageOf('b'));
  await run();
  expect(acks).toEqual([]);
  await run(5_000);
  expect(events).toEqual([...Array<string>(4).fill('begin a,b'), 'end a,b', 'ack b']);
  expect(notes.filter((note) => note.startsWith('hold'))).toHaveLength(3);
});

it('of a batch with held messages each other one is acknowledged by itself', async () => {
  let held: string[] = ['b'];
  const pump = create(() => Promise.resolve(held));
  for (const name of ['a', 'b', 'c']) void pump.take(messageOf(name));
  await run();
  expect(acks).toEqual([
    { name: 'a', isUpTo: false },
    { name: 'c', isUpTo: false },
  ]);
  expect(notes).toContain('done: a,c');
  held = [];
  await run(1_000);
  expect(acks.slice(2)).toEqual([{ name: 'b', isUpTo: true }]);
});

it('held messages are handed over again before later ones', async () => {
  let held: string[] = ['a'];
  const pump = create(() => Promise.resolve(held));
  void pump.take(messageOf('a'));
  await run();
  void pump.take(messageOf('b'));
  await run(1_000);
  held = [];
  await run(1_000);
  const begun = events.filter((event) => event.startsWith('begin'));
  expect(begun[0]).toBe('begin a');
  expect(new Set(begun.slice(1))).toEqual(new Set(['begin a,b', 'begin a']));
  expect(begun.indexOf('begin b')).toBe(-1);
  expect(acks.map(({ name }) => name)).toEqual(['b', 'a']);
});

it('of a batch with held messages at least half is new', async () => {
  const pump = create((names) => Promise.resolve(names.filter((name) => name.startsWith('h'))), 4);
  for (const name of ['h1', 'h2', 'h3', 'h4']) void pump.take(messageOf(name));
  for (const name of ['a', 'b', 'c', 'd']) void pump.take(messageOf(name));
  await run();
  const begun = events.filter((event) => event.startsWith('begin'));
  expect(begun.slice(0, 3)).toEqual([
    ...['begin h1,h2,h3,h4', 'begin h1,h2,h3,h4,a,b', 'begin h1,h2,h3,h4,c,d'],
  ]);
});

it('a batch ends at its limit of bytes, and the first message may be larger', async () => {
  const pump = create(() => Promise.resolve([]));
  for (const size of [2_000, 400, 600, 1]) void pump.take(messageOf('x'.repeat(size)));
  await run();
  const sizes = events.filter((e) => e.startsWith('begin')).map((e) => e.length - 'begin '.length);
  expect(sizes).toEqual([2_000, 400 + 1 + 600, 1]);
});

it('a channel that was lost during the work takes no acknowledgement, and is no error', async () => {
  const pump = create(() => {
    isChannelLost = true;
    isWanted = false;
    return Promise.resolve([]);
  });
  await Promise.all([pump.take(messageOf('a')), run()]);
  expect(acks).toEqual([]);
});

it('after a stop what failed is not tried again, and stays unacknowledged', async () => {
  const pump = create(() => Promise.reject(new Error('no database')));
  const taken = pump.take(messageOf('a'));
  await run(500);
  const { length } = events;
  isWanted = false;
  await run(10_000);
  await taken;
  expect(events).toHaveLength(length);
  expect(acks).toEqual([]);
});

/** Work that always fails, and when it was begun. */
function createFailing(messages: number) {
  const begunAtMs: number[] = [];
  const sizes: number[] = [];
  const startMs = performance.now();
  const pump = create((names) => {
    begunAtMs.push(performance.now() - startMs);
    sizes.push(names.length);
    return Promise.reject(new Error('no database'));
  }, 100);
  for (let n = 0; n < messages; n += 1) void pump.take(messageOf(`m${n}`));
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
  expect(releases).toEqual([]);
  await run(9_000);
  expect(releases).toEqual([40]);
  await run(10_000);
  expect(new Set(sizes)).toEqual(new Set([40, 16]));
  expect(sizes.at(-1)).toBe(16);
  releases = [];
  createFailing(32);
  await run(30_000);
  expect(releases).toEqual([]);
});

it('held messages are tried four times a second, and at once with what comes', async () => {
  const pump = create((names) => Promise.resolve(names.filter((name) => name === 'h')));
  void pump.take(messageOf('h'));
  await run(1_000);
  const tries = events.filter((event) => event === 'begin h').length;
  expect(tries).toBeGreaterThanOrEqual(4);
  expect(tries).toBeLessThanOrEqual(5);
  void pump.take(messageOf('a'));
  await run(40);
  expect(acks.map(({ name }) => name)).toEqual(['a']);
  expect(new Set(notes)).toEqual(
    new Set([
      'done: ',
      'done: a',
      'finish: 1 left',
      'hold: the wallets of some messages are locked',
    ]),
  );
});

it('messages that come while a batch is under way are the next batch', async () => {
  let finish: () => void = () => undefined;
  const pump = create(() => new Promise((resolve) => (finish = () => resolve([]))));
  const first = pump.take(messageOf('a'));
  await run();
  expect(pump.isBusy()).toBe(true);
  // The call before resolves for these, too.
  expect(pump.take(messageOf('b'))).toBeUndefined();
  expect(pump.take(messageOf('c'))).toBeUndefined();
  finish();
  await run();
  expect(events).toEqual(['begin a', 'end a', 'ack a', 'begin b,c']);
  finish();
  await run();
  await first;
  expect(pump.isBusy()).toBe(false);
  expect(acks).toEqual([
    { name: 'a', isUpTo: true },
    { name: 'c', isUpTo: true },
  ]);
});

it('a batch ends at its limit of messages', async () => {
  const pump = create(() => Promise.resolve([]), 2);
  for (const name of ['a', 'b', 'c', 'd', 'e']) void pump.take(messageOf(name));
  await run();
  const begun = events.filter((event) => event.startsWith('begin'));
  expect(begun).toEqual(['begin a,b', 'begin c,d', 'begin e']);
  expect(notes).toContain('finish: 3 left');
});

it('a batch may fill its limit of bytes, and not exceed it', async () => {
  const pump = create(() => Promise.resolve([]));
  for (const size of [400, 600, 1]) void pump.take(messageOf('x'.repeat(size)));
  await run();
  const sizes = events.filter((e) => e.startsWith('begin')).map((e) => e.length - 'begin '.length);
  expect(sizes).toEqual([400 + 1 + 600, 1]);
});

it('a batch of which all is held is no progress, and is noted as held', async () => {
  const pump = create((names) => Promise.resolve(names));
  void pump.take(messageOf('a'));
  await run();
  expect(notes).toEqual(['done: ', 'hold: the wallets of some messages are locked']);
  expect(acks).toEqual([]);
});

it('a success between failures begins their pauses, and the time to release, anew', async () => {
  let isBroken = true;
  const pump = create(() =>
    isBroken ? Promise.reject(new Error('no database')) : Promise.resolve([]),
  );
  for (let n = 0; n < 40; n += 1) void pump.take(messageOf(`m${n}`));
  await run(8_000);
  isBroken = false;
  await run(6_000);
  expect(pump.isBusy()).toBe(false);
  isBroken = true;
  const begunBefore = events.length;
  for (let n = 0; n < 40; n += 1) void pump.take(messageOf(`n${n}`));
  await run(350);
  // At once, after 100 ms, and after 200 ms more.
  expect(events.length - begunBefore).toBe(3);
  await run(8_000);
  expect(releases).toEqual([]);
});

it('a stop during the work ends the pump after that batch', async () => {
  let finish: () => void = () => undefined;
  const pump = create(() => new Promise((resolve) => (finish = () => resolve([]))), 1);
  const taken = pump.take(messageOf('a'));
  void pump.take(messageOf('b'));
  await run();
  isWanted = false;
  finish();
  await Promise.all([taken, run()]);
  expect(events).toEqual(['begin a', 'end a', 'ack a']);
  expect(acks).toEqual([{ name: 'a', isUpTo: true }]);
});

it('the wait for held messages ends with a stop', async () => {
  const pump = create((names) => Promise.resolve(names));
  const taken = pump.take(messageOf('h'));
  await run();
  isWanted = false;
  await run(40);
  await taken;
  expect(events).toEqual(['begin h', 'end h']);
});

it('a single frame acknowledges all only where nothing of it is held', async () => {
  const pump = create((names) => Promise.resolve(names.filter((name) => name === 'c')));
  for (const name of ['a', 'b', 'c']) void pump.take(messageOf(name));
  await run();
  expect(acks).toEqual([
    { name: 'a', isUpTo: false },
    { name: 'b', isUpTo: false },
  ]);
});
