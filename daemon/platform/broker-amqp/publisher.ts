import type { ConfirmChannel, Options } from 'amqplib';

import { eventsExchange, type OutboundMessage } from '../broker.ts';
import type { Log } from '../log.ts';
import { keepSession } from './session.ts';
import { assertExchanges } from './topology.ts';

export type Publisher = {
  publish(messages: readonly OutboundMessage[]): Promise<readonly OutboundMessage[]>;
  /** To a queue by its name; rejects unless the broker has confirmed it. */
  sendToQueue(queue: string, body: Buffer, options: Options.Publish): Promise<void>;
  findTrouble(): string | undefined;
  stop(): Promise<void>;
};

/** Publishes waiting for their confirms at once: enough to fill a round trip. */
const maxInFlight = 1_000;
/** These have a queue of ours: if they reach none, that is a failure. */
const queuedKeys: ReadonlySet<string> = new Set(['transaction.created', 'statement.requested']);

/** Publishes persistent messages on a connection of its own, and waits for the confirms. */
export function createPublisher(url: string, log: Log): Publisher {
  const returned = new Set<string>();
  const session = keepSession({
    name: 'publisher',
    url,
    log,
    setup: async (channel) => {
      returned.clear();
      // An unroutable message is confirmed as well; the return comes before the confirm.
      channel.on('return', (message) => {
        const id: unknown = message.properties.messageId;
        if (typeof id === 'string') returned.add(id);
      });
      await assertExchanges(channel);
    },
  });

  const connected = (): ConfirmChannel => {
    const channel = session.channel();
    if (!channel)
      throw new Error(`RabbitMQ is out of reach: ${session.findTrouble() ?? 'closing'}`);
    return channel;
  };

  const send = (
    channel: ConfirmChannel,
    [exchange, key]: readonly [string, string],
    body: Buffer,
    options: Options.Publish & { readonly messageId: string },
  ): Promise<boolean> =>
    new Promise((resolve) => {
      channel.publish(exchange, key, body, { persistent: true, ...options }, (err: unknown) => {
        const wasReturned = returned.delete(options.messageId);
        resolve((err === null || err === undefined) && !wasReturned);
      });
    });

  return {
    publish: async (messages) => {
      const unconfirmed: OutboundMessage[] = [];
      for (let start = 0; start < messages.length; start += maxInFlight) {
        const channel = connected();
        const part = messages.slice(start, start + maxInFlight);
        const sent = await Promise.all(
          part.map((message) =>
            send(
              channel,
              [eventsExchange, message.routingKey],
              Buffer.from(JSON.stringify(message.body)),
              {
                messageId: message.messageId,
                contentType: 'application/json',
                type: message.body.pattern,
                mandatory: queuedKeys.has(message.routingKey),
              },
            ),
          ),
        );
        unconfirmed.push(...part.filter((_message, i) => !sent[i]));
      }
      return unconfirmed;
    },
    sendToQueue: async (queue, body, options) => {
      const messageId = String(options.messageId);
      const target = ['', queue] as const;
      const full = { ...options, messageId, mandatory: true };
      if (!(await send(connected(), target, body, full))) {
        throw new Error(`RabbitMQ did not confirm a message to ${queue}`);
      }
    },
    findTrouble: session.findTrouble,
    stop: session.stop,
  };
}
