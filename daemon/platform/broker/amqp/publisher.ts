import type { ConfirmChannel, Options } from 'amqplib';

import { eventsExchange, patternOf, textOf, type OutboundMessage } from '../broker.ts';
import type { Log } from '../../log.ts';
import { createPublicError } from '../../progress/public-error.ts';
import { keepSession } from './session.ts';
import { assertExchanges } from './topology.ts';

export type Publisher = {
  publish(messages: readonly OutboundMessage[]): Promise<readonly OutboundMessage[]>;
  /** To a queue by its name; rejects unless the broker has confirmed it. */
  sendToQueue(queue: string, body: Buffer, options: Options.Publish): Promise<void>;
  findTrouble(): string | undefined;
  stop(): Promise<void>;
};

type Outgoing = {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly options: Options.Publish & { readonly messageId: string };
};
type OnAnswer = (isConfirmed: boolean) => void;

/** Publishes waiting for their confirms at once: enough to fill a round trip. */
const maxInFlight = 2_000;
/** Published before others get a turn. */
const maxPerTurn = 250;
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
      throw createPublicError(`RabbitMQ is unavailable: ${session.findTrouble() ?? 'closing'}`);
    return channel;
  };

  const send = (channel: ConfirmChannel, outgoing: Outgoing, onAnswer: OnAnswer): void => {
    const { exchange, routingKey, body, options } = outgoing;
    const { messageId } = options;
    const whole = { persistent: true, ...options };
    channel.publish(exchange, routingKey, body, whole, (err: unknown) => {
      const wasReturned = returned.size > 0 && returned.delete(messageId);
      onAnswer((err === null || err === undefined) && !wasReturned);
    });
  };

  return {
    publish: (messages) =>
      sendAll(messages, (message, onAnswer) => send(connected(), toOutgoing(message), onAnswer)),
    sendToQueue: async (queue, body, options) => {
      const messageId = String(options.messageId);
      const full = { ...options, messageId, mandatory: true };
      const outgoing = { exchange: '', routingKey: queue, body, options: full };
      const isConfirmed = await new Promise<boolean>((resolve) => {
        send(connected(), outgoing, resolve);
      });
      if (!isConfirmed) {
        throw createPublicError(`RabbitMQ did not confirm a message to ${queue}`);
      }
    },
    findTrouble: session.findTrouble,
    stop: session.stop,
  };
}

/**
 * Sends all, as many at once as may be in flight and the next ones as answers come. Resolves to
 * what was not confirmed; rejects if sending fails.
 */
function sendAll(
  messages: readonly OutboundMessage[],
  send: (message: OutboundMessage, onAnswer: OnAnswer) => void,
): Promise<readonly OutboundMessage[]> {
  return new Promise((resolve, reject) => {
    const unconfirmed: OutboundMessage[] = [];
    let sent = 0;
    let answered = 0;
    let isDue = false;
    const sendSome = (): void => {
      isDue = false;
      try {
        for (const message of messages.slice(sent, sent + maxPerTurn)) {
          sent += 1;
          send(message, (isConfirmed) => {
            answered += 1;
            if (!isConfirmed) unconfirmed.push(message);
            if (answered === messages.length) resolve(unconfirmed);
            else sendSoon();
          });
        }
        sendSoon();
      } catch (err) {
        // Nothing more of these: they come again, in order.
        sent = messages.length;
        reject(err instanceof Error ? err : new Error('not published', { cause: err }));
      }
    };
    const sendSoon = (): void => {
      if (isDue || sent === messages.length || sent - answered > maxInFlight - maxPerTurn) return;
      isDue = true;
      setImmediate(sendSome);
    };
    if (messages.length === 0) resolve(unconfirmed);
    sendSoon();
  });
}

const toOutgoing = (message: OutboundMessage): Outgoing => ({
  exchange: eventsExchange,
  routingKey: message.routingKey,
  body: Buffer.from(textOf(message)),
  options: {
    messageId: message.messageId,
    contentType: 'application/json',
    type: patternOf(message),
    mandatory: queuedKeys.has(message.routingKey),
  },
});
