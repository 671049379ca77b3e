import type { ConfirmChannel } from 'amqplib';

import { commandsExchange, eventsExchange, type Consumer } from '../broker.ts';

/** How often a message may come back before the broker puts it aside; crashes of ours count too. */
const deliveryLimit = 20;
/** What has been put aside must never be dropped: the broker's default limit would do that. */
const deadDeliveryLimit = 1_000_000_000;

export const deadQueueOf = (queue: string): string => `${queue}.dead`;

/** The exchanges; the same call again changes nothing. */
export async function assertExchanges(channel: ConfirmChannel): Promise<void> {
  await channel.assertExchange(eventsExchange, 'topic', { durable: true });
  await channel.assertExchange(commandsExchange, 'direct', { durable: true });
}

/**
 * A consumer's queue, the queue for what it cannot handle, and its bindings. Rejects with
 * PRECONDITION_FAILED where one exists with other arguments.
 */
export async function assertQueues(channel: ConfirmChannel, consumer: Consumer): Promise<void> {
  await channel.assertQueue(deadQueueOf(consumer.queue), {
    durable: true,
    arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': deadDeliveryLimit },
  });
  await channel.assertQueue(consumer.queue, {
    durable: true,
    arguments: queueArguments(consumer.queue),
  });
  for (const { exchange, routingKey } of consumer.bindings) {
    await channel.bindQueue(consumer.queue, exchange, routingKey);
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
