import { describe, expect, it } from 'vitest';

import { createTransientRejection } from '../transient-rejection.ts';
import type { Consumer, DeadLetter, Handling, InboundMessage, OutboundMessage } from './broker.ts';
import { createLocalBroker } from './local.ts';

const messageOf = (routingKey: string): OutboundMessage => ({
  messageId: routingKey,
  routingKey,
  body: { pattern: routingKey, data: {} },
});

const unavailable = createTransientRejection({
  reason: 'DATABASE_UNAVAILABLE',
  message: 'it is unavailable',
  metadata: {},
});

/** A consumer that is bound with these patterns, and the messages that it received. */
function createConsumer(...patterns: string[]) {
  const received: (string | undefined)[] = [];
  const consumer: Consumer = {
    queue: 'test',
    bindings: patterns.map((routingKey) => ({ exchange: 'wallet.events', routingKey })),
    maxBatch: 10,
    handle: (messages: readonly InboundMessage[]) => {
      received.push(...messages.map(({ messageId }) => messageId));
      return Promise.resolve(messages.map(() => ({ kind: 'done' as const })));
    },
    storeDeadLetters: () => Promise.resolve(),
  };
  return { consumer, received };
}

it('the local broker routes messages by topic patterns, each once to a consumer', async () => {
  const exact = createConsumer('transaction.created');
  const oneWord = createConsumer('*.created', 'transaction.*');
  const all = createConsumer('#');
  const none = createConsumer();
  const consumers = [exact, oneWord, all, none];
  const broker = createLocalBroker();
  await broker.start(consumers.map(({ consumer }) => consumer));
  const keys = ['transaction.created', 'statement.ready', 'transaction.created.again'];
  await broker.publish(keys.map(messageOf), 'own');
  expect(exact.received).toEqual(['transaction.created']);
  expect(oneWord.received).toEqual(['transaction.created']);
  expect(all.received).toEqual(keys);
  expect(none.received).toEqual([]);
});

it('the local broker ignores bindings to other exchanges', async () => {
  const { consumer, received } = createConsumer();
  const broker = createLocalBroker();
  const bindings = [{ exchange: 'wallet.commands', routingKey: '#' }];
  await broker.start([{ ...consumer, bindings }]);
  await broker.publish([messageOf('transaction.created')], 'own');
  expect(received).toEqual([]);
});

describe('what is not handled', () => {
  const failing = (change: Partial<Consumer>): Consumer => ({
    ...createConsumer('#').consumer,
    ...change,
  });
  const start = async (...consumers: readonly Consumer[]) => {
    const broker = createLocalBroker();
    await broker.start(consumers);
    return broker;
  };
  const messages = ['a', 'b', 'c'].map(messageOf);
  const dead: Handling = { kind: 'dead', reason: 'NOT_JSON', field: 'body' };

  it('messages are not confirmed while a consumer rejects or holds one of them', async () => {
    const rejecting = await start(failing({ handle: () => Promise.reject(unavailable) }));
    await expect(rejecting.publish(messages, 'own')).rejects.toThrow('unavailable');
    const handle: Consumer['handle'] = (received) =>
      Promise.resolve(received.map((_m, i) => ({ kind: i === 1 ? 'held' : 'done' })));
    await expect((await start(failing({ handle }))).publish(messages, 'own')).rejects.toThrow(
      'held',
    );
  });

  it('messages are confirmed only once every consumer has handled them', async () => {
    const first = createConsumer('#');
    const second = failing({ handle: () => Promise.reject(unavailable) });
    await expect((await start(first.consumer, second)).publish(messages, 'own')).rejects.toThrow();
    expect(first.received).toHaveLength(3);
  });

  it('a dead letter is stored with its reason before the messages are confirmed', async () => {
    const letters: DeadLetter[] = [];
    const handle: Consumer['handle'] = (received) =>
      Promise.resolve(received.map((_m, i) => (i === 1 ? dead : { kind: 'done' })));
    const storeDeadLetters: Consumer['storeDeadLetters'] = (buried) => {
      letters.push(...buried);
      return Promise.resolve();
    };
    const broker = await start(failing({ handle, storeDeadLetters }));
    expect(await broker.publish(messages, 'own')).toEqual([]);
    expect(letters).toMatchObject([{ messageId: 'b', reason: 'NOT_JSON', field: 'body' }]);
    const full = failing({ handle, storeDeadLetters: () => Promise.reject(unavailable) });
    await expect((await start(full)).publish(messages, 'own')).rejects.toThrow('unavailable');
  });

  it('before its start and after its stop the broker confirms nothing', async () => {
    const broker = createLocalBroker();
    await expect(broker.publish(messages, 'own')).rejects.toThrow('not running');
    await broker.start([createConsumer('#').consumer]);
    await broker.stop();
    await expect(broker.publish(messages, 'own')).rejects.toThrow('not running');
  });

  it('a consumer gets no more messages at once than it asks for', async () => {
    const sizes: number[] = [];
    const handle: Consumer['handle'] = (received) => {
      sizes.push(received.length);
      return Promise.resolve(received.map(() => ({ kind: 'done' })));
    };
    await (await start(failing({ handle, maxBatch: 2 }))).publish(messages, 'own');
    expect(sizes).toEqual([2, 1]);
  });
});
