import { describe, expect, it } from 'vitest';

import type { Handling, InboundMessage } from './broker.ts';
import { createTransientRejection } from '../transient-rejection.ts';
import { isolate } from './poison-isolation.ts';

const done: Handling = { kind: 'done' };
const refused = { kind: 'dead', reason: 'INTERNAL', field: 'body' };

const toMessages = (texts: readonly string[]): InboundMessage[] =>
  texts.map((text) => ({ messageId: text, body: text, text, userId: undefined, headers: {} }));
const many = (count: number, text = 'good'): string[] => Array.from({ length: count }, () => text);

/** As the driver gives it. */
const databaseError = (code: string): Error =>
  Object.assign(new Error('from the database'), { code, severity: 'ERROR' });

/** Fails for the texts in `faults`, as a transaction of all would. */
function createStore(faults: Readonly<Record<string, Error>>) {
  const handled: string[] = [];
  const batches: number[] = [];
  const handle = (messages: readonly InboundMessage[]): Promise<Handling[]> => {
    batches.push(messages.length);
    const bad = messages.map(({ text }) => faults[text]).find((fault) => fault);
    if (bad) return Promise.reject(bad);
    handled.push(...messages.map(({ text }) => text));
    return Promise.resolve(messages.map(() => done));
  };
  return { handled, batches, handle };
}

const outside = createTransientRejection({
  reason: 'AUTH_UNAVAILABLE',
  message: 'unavailable',
  metadata: {},
});

describe('messages that cannot be handled', () => {
  it.each(['22021', '22008', '22003', '23514'])(
    'a message whose content the database refuses (%s) is dead-lettered, and no other',
    async (code) => {
      const store = createStore({ bad: databaseError(code) });
      const texts = [...many(700), 'bad', ...many(300), 'bad', 'bad', ...many(1_045)];
      const handlings = await isolate(store.handle)(toMessages(texts));
      expect(handlings).toEqual(texts.map((text) => (text === 'bad' ? refused : done)));
      expect(store.handled).toHaveLength(2_045);
    },
  );

  it('every message of a batch that cannot be handled is dead-lettered', async () => {
    const store = createStore({ bad: databaseError('22021') });
    const handlings = await isolate(store.handle)(toMessages(many(500, 'bad')));
    expect(handlings).toEqual(many(500).map(() => refused));
  });

  it('a message that fails for an unknown reason is dead-lettered after 5 attempts', async () => {
    const store = createStore({ bad: new TypeError('a defect') });
    const handle = isolate(store.handle);
    const [bad] = toMessages(['bad']) as [InboundMessage];
    for (let i = 0; i < 4; i += 1) {
      expect((await handle([bad, ...toMessages(many(9))]))[0]).toEqual({ kind: 'held' });
    }
    expect((await handle([bad, ...toMessages(many(9))]))[0]).toEqual(refused);
    expect(store.handled).toHaveLength(45);
  });

  it('a batch whose messages all fail for an unknown reason is retried as a whole', async () => {
    const store = createStore({ bad: new TypeError('a defect') });
    const handle = isolate(store.handle);
    for (let i = 0; i < 20; i += 1) {
      await expect(handle(toMessages(['bad', 'bad']))).rejects.toThrow('a defect');
    }
  });

  it('many messages that cannot be handled do not block the others', async () => {
    const store = createStore({ bad: new TypeError('a defect') });
    const texts = [...many(64, 'bad'), ...many(64)];
    const handlings = await isolate(store.handle)(toMessages(texts));
    expect(handlings.slice(64)).toEqual(many(64).map(() => done));
    expect(handlings.slice(0, 64).every(({ kind }) => kind === 'held')).toBe(true);
  });
});

describe('failures that no message causes', () => {
  it.each([
    ['another service', outside],
    ['the connection', Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })],
    ['a server that shuts down', databaseError('57P01')],
    ['a lock', databaseError('55P03')],
  ])('a failure of %s rejects the batch at once, without splitting it', async (_name, err) => {
    const store = createStore({ bad: err });
    const handle = isolate(store.handle);
    await expect(handle(toMessages([...many(99), 'bad']))).rejects.toBe(err);
    expect(store.batches).toEqual([100]);
  });

  it('a transient failure within a batch that is split rejects the batch', async () => {
    const store = createStore({ bad: databaseError('22021'), late: outside });
    const texts = ['bad', ...many(8), 'late'];
    await expect(isolate(store.handle)(toMessages(texts))).rejects.toBe(outside);
    expect(store.handled).not.toContain('bad');
  });

  it('a failure of every message is never taken for a fault of the messages', async () => {
    const denied = databaseError('42501');
    const store = createStore({ good: denied });
    const handle = isolate(store.handle);
    const messages = toMessages(many(2_000));
    for (let i = 0; i < 8; i += 1) await expect(handle(messages)).rejects.toBe(denied);
    expect(store.batches.length).toBeLessThan(8 * 40);
  });
});

it('a consumer that does not answer each message is never taken to have handled them', async () => {
  const handle = isolate(() => Promise.resolve([]));
  await expect(handle(toMessages(['a', 'b']))).rejects.toThrow('not every message got an answer');
});

describe('what becomes of one message', () => {
  const counted = (store: ReturnType<typeof createStore>) => isolate(store.handle);
  const goods = () => toMessages(many(3));

  it('each message has attempts of its own', async () => {
    const store = createStore({ bad: new TypeError('a defect') });
    const handle = counted(store);
    const [first, second] = toMessages(['bad', 'bad']) as [InboundMessage, InboundMessage];
    for (let i = 0; i < 3; i += 1) await handle([first, ...goods()]);
    const held = await handle([first, second, ...goods()]);
    expect(held.slice(0, 2)).toEqual([{ kind: 'held' }, { kind: 'held' }]);
    const later = await handle([first, second, ...goods()]);
    expect(later.slice(0, 2)).toEqual([refused, { kind: 'held' }]);
  });

  it('attempts in a batch where nothing was handled do not count', async () => {
    const store = createStore({ bad: new TypeError('a defect') });
    const handle = counted(store);
    const [bad] = toMessages(['bad']) as [InboundMessage];
    for (let i = 0; i < 10; i += 1) await expect(handle([bad])).rejects.toThrow('a defect');
    expect((await handle([bad, ...goods()]))[0]).toEqual({ kind: 'held' });
  });

  it('messages that were only held with others are no defect of theirs', async () => {
    const handle = isolate((messages) =>
      Promise.resolve(messages.map(() => ({ kind: 'held' as const }))),
    );
    expect(await handle(goods())).toEqual(many(3).map(() => ({ kind: 'held' })));
  });

  it('a message whose content is refused is dead at once, beside one that is held', async () => {
    const store = createStore({ bad: new TypeError('a defect'), dead: databaseError('22021') });
    const handlings = await isolate(store.handle)(toMessages(['dead', 'bad', 'good']));
    expect(handlings).toEqual([refused, { kind: 'held' }, done]);
  });

  it('a batch of nothing but refused content is answered, and throws nothing', async () => {
    const store = createStore({ dead: databaseError('22021') });
    expect(await isolate(store.handle)(toMessages(['dead']))).toEqual([refused]);
  });

  it('what was thrown and is no error is the cause of one', async () => {
    const handle = isolate(async () => {
      await Promise.resolve();
      AbortSignal.abort('a text').throwIfAborted();
      return [];
    });
    const failed = await handle(toMessages(['a'])).catch((err: unknown) => err);
    expect(failed).toMatchObject({ message: 'not handled', cause: 'a text' });
  });

  it('of several defects the first one is reported', async () => {
    let count = 0;
    const handle = isolate(() => Promise.reject(new TypeError(`defect ${(count += 1)}`)));
    await expect(handle(toMessages(['a', 'b']))).rejects.toThrow('defect 1');
  });

  it('after 24 unknown failures in a row the rest is held, and a success counts anew', async () => {
    const store = createStore({ bad: new TypeError('a defect') });
    const messages = toMessages(many(1_024, 'bad'));
    await expect(counted(store)(messages)).rejects.toThrow('a defect');
    // Taken apart 24 times, and then each open half is tried once.
    expect(store.batches.length).toBeGreaterThanOrEqual(24);
    expect(store.batches.length).toBeLessThan(24 + 12);
    const mixed = createStore({ bad: new TypeError('a defect') });
    const texts = Array.from({ length: 128 }, (_, i) => (i % 2 === 0 ? 'bad' : 'good'));
    const handlings = await isolate(mixed.handle)(toMessages(texts));
    expect(handlings.filter(({ kind }) => kind === 'done')).toHaveLength(64);
  });

  it('the log says which messages are held, and which are dead', async () => {
    const lines: string[] = [];
    const note = (level: string) => (_fields: object, message: string) =>
      void lines.push(`${level}: ${message}`);
    const log = { warn: note('warn'), error: note('error') } as never;
    const store = createStore({ bad: new TypeError('a defect'), dead: databaseError('22021') });
    const handle = isolate(store.handle, log);
    const [bad] = toMessages(['bad']) as [InboundMessage];
    await handle([...toMessages(['dead']), ...goods()]);
    expect(lines).toEqual([
      'error: the database refuses the content of a message: it is dead-lettered',
    ]);
    lines.length = 0;
    await handle(goods());
    expect(lines).toEqual([]);
    for (let i = 0; i < 5; i += 1) await handle([bad, ...goods()]);
    expect(lines).toEqual([
      ...Array<string>(5).fill('warn: messages fail by themselves: they are held'),
      'error: a message fails by itself: dead-lettered',
    ]);
  });
});
