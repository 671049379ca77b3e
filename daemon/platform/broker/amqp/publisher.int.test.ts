import { randomUUID } from 'node:crypto';

import { connect, type Channel, type ChannelModel } from 'amqplib';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { createTestVhost, type TestVhost } from '../../../../tests/support/broker/vhost.ts';
import type { OutboundMessage } from '../broker.ts';
import { createLog } from '../../log.ts';
import { createPublisher, type Publisher } from './publisher.ts';

let vhost: TestVhost;
let connection: ChannelModel;
let channel: Channel;
let publisher: Publisher;

beforeAll(async () => {
  vhost = await createTestVhost();
  connection = await connect(vhost.url);
  channel = await connection.createChannel();
  publisher = createPublisher(vhost.url, createLog('silent'));
  await vi.waitFor(() => expect(publisher.findTrouble()).toBeUndefined(), { timeout: 10_000 });
});
afterAll(async () => {
  await publisher.stop();
  await connection.close();
  await vhost.drop();
});

const message = (messageId: string, length: number): OutboundMessage => ({
  messageId,
  routingKey: 'transaction.created',
  body: { pattern: 'transaction_created', data: { text: 'é'.repeat(length) } },
});

/** Many at once; those that need several frames; and those with another id than a UUID. */
const cases = {
  plain: () => Array.from({ length: 600 }, () => message(randomUUID(), 200)),
  long: () => [message(randomUUID(), 10), message(randomUUID(), 200_000), message(randomUUID(), 1)],
  named: () => [message('no UUID', 10), message(randomUUID(), 10)],
};

async function publishToAll(messages: readonly OutboundMessage[]) {
  const own = await publisher.publish(messages, 'own');
  return [...own, ...(await publisher.publish(messages, 'listeners'))];
}

/** A queue in the place of our own. */
async function bindBundles(): Promise<string> {
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'wallet.bundles', 'transaction.created');
  return queue;
}

it.each(['plain', 'long', 'named'] as const)(
  '%s messages that reach no queue are returned as unsent, though they are confirmed',
  async (kind) => {
    const sent = cases[kind]();
    const left = await publisher.publish(sent, 'own');
    expect(new Set(left)).toEqual(new Set(sent));
  },
);

it('a message with its text and pattern is published without reading its body', async () => {
  const messageId = randomUUID();
  const sent: OutboundMessage = {
    messageId,
    routingKey: 'transaction.created',
    pattern: 'transaction_created',
    text: '{"pattern":"transaction_created","data":{}}',
    get body(): OutboundMessage['body'] {
      throw new Error('the body was read');
    },
  };
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'wallet.events', 'transaction.created');
  const bundles = await bindBundles();
  expect(await publishToAll([sent])).toEqual([]);
  const got = await channel.get(queue, { noAck: true });
  if (!got) throw new Error('the message did not arrive');
  expect(got.properties).toMatchObject({ messageId, type: 'transaction_created' });
  expect(got.content.toString()).toBe(sent.text);
  await channel.deleteQueue(queue);
  await channel.deleteQueue(bundles);
});

it.each(['plain', 'long', 'named'] as const)(
  '%s messages arrive unchanged, in order, and are confirmed',
  async (kind) => {
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, 'wallet.events', 'transaction.created');
    const bundles = await bindBundles();
    const heard: unknown[] = [];
    await channel.consume(queue, (got) => {
      const properties: Record<string, unknown> = { ...got?.properties };
      const { messageId, type, deliveryMode } = properties;
      heard.push({ messageId, type, deliveryMode, body: got?.content.toString() });
    });
    const sent = cases[kind]();
    expect(await publishToAll(sent)).toEqual([]);
    const expected = sent.map(({ messageId, body }) => ({
      ...{ messageId, type: body.pattern, deliveryMode: 2, body: JSON.stringify(body) },
    }));
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(sent.length);
    expect(heard).toEqual(expected);
    await channel.deleteQueue(queue);
    await channel.deleteQueue(bundles);
  },
);
