import { expect, it } from 'vitest';

import type { Consumer, InboundMessage, OutboundMessage } from './broker.ts';
import { createLocalBroker } from './local.ts';

const messageOf = (routingKey: string): OutboundMessage => ({
  messageId: routingKey,
  routingKey,
  body: { pattern: routingKey, data: {} },
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
