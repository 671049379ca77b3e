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

it('a consumer of our own gets holds with the movements of money, in order', async () => {
  const { consumer, received } = createConsumer('transaction.created');
  const broker = createLocalBroker();
  await broker.start([consumer]);
  const keys = ['transaction.created', 'hold.placed', 'transaction.created', 'hold.released'];
  await broker.publish(keys.map(messageOf), 'own');
  expect(received).toEqual(keys);
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

describe('what a consumer gets', () => {
  const sent: OutboundMessage = {
    messageId: 'id',
    routingKey: 'transaction.created',
    body: { pattern: 'transaction_created', data: { a: 1 } },
    text: '{"pattern":"as it was made"}',
    event: { id: 'event' } as never,
  };

  it('a message has the parts that were sent, and none that only a broker knows', async () => {
    const received: InboundMessage[] = [];
    const broker = createLocalBroker();
    const { consumer } = createConsumer('#');
    const handle: Consumer['handle'] = (messages) => {
      received.push(...messages);
      return Promise.resolve(messages.map(() => ({ kind: 'done' as const })));
    };
    await broker.start([{ ...consumer, handle }]);
    await broker.publish([sent, { ...messageOf('other'), messageId: 'n' }], 'own');
    const [first, second] = received.map((message) => ({
      messageId: message.messageId,
      body: message.body,
      text: message.text,
      event: message.event,
      userId: message.userId,
      headers: message.headers,
    }));
    expect(first).toEqual({
      ...{ messageId: 'id', body: sent.body, text: sent.text, event: sent.event },
      ...{ userId: undefined, headers: {} },
    });
    expect(second).toMatchObject({
      ...{ messageId: 'n', text: JSON.stringify(messageOf('other').body), event: undefined },
    });
  });

  it('a dead letter is the same one however often its message is sent', async () => {
    const letters: DeadLetter[] = [];
    const { consumer } = createConsumer('#');
    const broker = createLocalBroker();
    await broker.start([
      {
        ...consumer,
        handle: (messages) =>
          Promise.resolve(
            messages.map(() => ({ kind: 'dead', reason: 'NOT_JSON', field: 'body' })),
          ),
        storeDeadLetters: (some) => {
          letters.push(...some);
          return Promise.resolve();
        },
      },
    ]);
    await broker.publish([sent], 'own');
    await broker.publish([sent, { ...sent, messageId: 'other' }], 'own');
    const [first, again, other] = letters;
    expect(first).toEqual({
      ...{ id: first?.id, deliveryId: first?.id, queue: 'test', messageId: 'id' },
      ...{ reason: 'NOT_JSON', field: 'body', text: sent.text },
    });
    expect(again?.id).toBe(first?.id);
    expect(other?.id).not.toBe(first?.id);
  });

  it('no dead letter is stored where there is none, and a held one stores those beside it', async () => {
    let stored = 0;
    const { consumer } = createConsumer('#');
    const storeDeadLetters = (some: readonly DeadLetter[]) => {
      stored += some.length > 0 ? 1 : 100;
      return Promise.resolve();
    };
    const broker = createLocalBroker();
    await broker.start([{ ...consumer, storeDeadLetters }]);
    await broker.publish([sent], 'own');
    expect(stored).toBe(0);
    const handle: Consumer['handle'] = () =>
      Promise.resolve([{ kind: 'dead', reason: 'NOT_JSON', field: 'body' }, { kind: 'held' }]);
    await broker.start([{ ...consumer, storeDeadLetters, handle }]);
    await expect(broker.publish([sent, sent], 'own')).rejects.toThrow('test: held');
    expect(stored).toBe(1);
  });

  it('other programs have no queues: what is for them is confirmed, and reaches no consumer', async () => {
    const { consumer, received } = createConsumer('#');
    const broker = createLocalBroker();
    expect(await broker.publish([sent], 'listeners')).toEqual([]);
    await broker.start([consumer]);
    expect(await broker.publish([sent], 'listeners')).toEqual([]);
    expect(received).toEqual([]);
    expect(broker.findTrouble()).toBeUndefined();
    // What is in the process goes on until the stop.
    await broker.stopConsuming();
    await broker.publish([sent], 'own');
    expect(received).toEqual(['id']);
  });

  it('a message that cannot be handled does not keep its neighbours from being confirmed', async () => {
    const letters: DeadLetter[] = [];
    const { consumer } = createConsumer('#');
    const refusedByDb = Object.assign(new Error('bad'), { code: '22021', severity: 'ERROR' });
    const broker = createLocalBroker();
    await broker.start([
      {
        ...consumer,
        handle: (messages) =>
          messages.some(({ messageId }) => messageId === 'bad')
            ? Promise.reject(refusedByDb)
            : Promise.resolve(messages.map(() => ({ kind: 'done' as const }))),
        storeDeadLetters: (some) => {
          letters.push(...some);
          return Promise.resolve();
        },
      },
    ]);
    const all = ['good', 'bad', 'good too'].map((messageId) => ({ ...sent, messageId }));
    expect(await broker.publish(all, 'own')).toEqual([]);
    expect(letters.map(({ messageId }) => messageId)).toEqual(['bad']);
  });
});
