import type { ConfirmChannel } from 'amqplib';

import {
  bundledKeys,
  bundlesExchange,
  commandsExchange,
  eventsExchange,
  type Consumer,
} from '../broker.ts';

/**
 * So high that the broker never dead-letters a message by itself: it counts each time that a
 * message came back to the queue, also where a connection was lost or a daemon was stopped with the
 * message unread. Left out, it would be 20 from RabbitMQ 4 on. What fails for its own content is
 * found by `isolate`.
 */
const deliveryLimit = 1_000_000_000;

export const deadQueueOf = (queue: string): string => `${queue}.dead`;

/** The exchanges; the same call again changes nothing. */
export async function assertExchanges(channel: ConfirmChannel): Promise<void> {
  await channel.assertExchange(eventsExchange, 'topic', { durable: true });
  await channel.assertExchange(commandsExchange, 'direct', { durable: true });
  await channel.assertExchange(bundlesExchange, 'direct', { durable: true });
}

/**
 * A consumer's queue, the queue for what it cannot handle, and its bindings. Rejects with
 * PRECONDITION_FAILED where one exists with other arguments.
 */
export async function assertQueues(channel: ConfirmChannel, consumer: Consumer): Promise<void> {
  await channel.assertQueue(deadQueueOf(consumer.queue), {
    durable: true,
    arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': deliveryLimit },
  });
  await channel.assertQueue(consumer.queue, {
    durable: true,
    arguments: queueArguments(consumer.queue),
  });
  for (const binding of consumer.bindings) {
    const { exchange, routingKey } = binding;
    await channel.bindQueue(
      consumer.queue,
      isBundled(binding) ? bundlesExchange : exchange,
      routingKey,
    );
    // An earlier version bound it there, and singles would come as well as bundles.
    if (isBundled(binding)) await channel.unbindQueue(consumer.queue, exchange, routingKey);
  }
}

/** What a producer that declares the queue itself must give too (docs/events.md shows it). */
function queueArguments(queue: string): Record<string, string | number> {
  return {
    'x-queue-type': 'quorum',
    'x-delivery-limit': deliveryLimit,
    'x-overflow': 'reject-publish',
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': deadQueueOf(queue),
    'x-dead-letter-strategy': 'at-least-once',
  };
}

type Binding = Consumer['bindings'][number];

const isBundled = ({ exchange, routingKey }: Binding): boolean =>
  exchange === eventsExchange && bundledKeys.has(routingKey);

/** True where messages of a consumer come in bundles. */
export const takesBundles = ({ bindings }: Consumer): boolean => bindings.some(isBundled);
