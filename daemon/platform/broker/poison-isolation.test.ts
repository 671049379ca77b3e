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
