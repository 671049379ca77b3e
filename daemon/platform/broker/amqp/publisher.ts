import type { ConfirmChannel, Options } from 'amqplib';

import type { OutboundMessage } from '../broker.ts';
import type { Log } from '../../log.ts';
import { createPublicError } from '../../progress/public-error.ts';
import type { BundleLimits } from './bundles.ts';
import { createRounds, type Answer, type Outgoing, type Sending } from './round.ts';
import { keepSession } from './session.ts';
import { assertExchanges } from './topology.ts';

export type Publisher = {
  /** One call at a time. */
  publish(messages: readonly OutboundMessage[]): Promise<readonly OutboundMessage[]>;
  /** To a queue by its name; rejects unless the broker has confirmed it. */
  sendToQueue(queue: string, body: Buffer, options: Options.Publish): Promise<void>;
  findTrouble(): string | undefined;
  stop(): Promise<void>;
};

type OnAnswer = (answer: Answer) => void;

/** Publishes waiting for their confirms at once: enough to fill a round trip. */
const maxInFlight = 2_000;
/** Published before others get a turn. */
const maxPerTurn = 250;

/** Publishes persistent messages on a connection of its own, and waits for the confirms. */
export function createPublisher(url: string, log: Log, limits?: BundleLimits): Publisher {
  const returned = new Set<string>();
  const session = keepSession({
    name: 'publisher',
    url,
    log,
    setup: async (channel) => {
      returned.clear();
      // An unroutable message is confirmed as well; the return comes before the confirm.
      channel.on('return', ({ fields, properties }) => {
        returned.add(nameOf(fields.exchange, String(properties.messageId)));
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

  const send = ({ exchange, routingKey, body, options }: Outgoing, onAnswer: OnAnswer): void => {
    const whole = { persistent: true, ...options };
    connected().publish(exchange, routingKey, body, whole, (err: unknown) => {
      const wasReturned = returned.size > 0 && returned.delete(nameOf(exchange, options.messageId));
      if (err !== null && err !== undefined) onAnswer('refused');
      else onAnswer(wasReturned ? 'returned' : 'confirmed');
    });
  };

  const rounds = createRounds(limits);
  return {
    publish: async (messages) => {
      const { now, listLater } = rounds.plan(messages);
      const unconfirmed = new Set<OutboundMessage>();
      const note = (sending: Sending, answer: Answer): void => {
        rounds.note(sending, answer);
        const isLost = answer === 'refused' || (answer === 'returned' && sending.isNeeded);
        if (isLost) for (const message of sending.carries) unconfirmed.add(message);
      };
      await sendAll(now, send, note);
      await sendAll(listLater(), send, note);
      return unconfirmed.size === 0 ? [] : messages.filter((message) => unconfirmed.has(message));
    },
    sendToQueue: async (queue, body, options) => {
      const messageId = String(options.messageId);
      const full = { ...options, messageId, mandatory: true };
      const answer = await new Promise<Answer>((resolve) => {
        send({ exchange: '', routingKey: queue, body, options: full }, resolve);
      });
      if (answer !== 'confirmed') {
        throw createPublicError(`RabbitMQ did not confirm a message to ${queue}`);
      }
    },
    findTrouble: session.findTrouble,
    stop: session.stop,
  };
}

const nameOf = (exchange: string, messageId: string): string => `${exchange} ${messageId}`;

/**
 * Sends all, as many at once as may be in flight and the next ones as answers come. Resolves once
 * all are answered; rejects if sending fails.
 */
function sendAll(
  sendings: readonly Sending[],
  send: (outgoing: Outgoing, onAnswer: OnAnswer) => void,
  note: (sending: Sending, answer: Answer) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let answered = 0;
    let isDue = false;
    const sendSome = (): void => {
      isDue = false;
      try {
        for (const sending of sendings.slice(sent, sent + maxPerTurn)) {
          sent += 1;
          send(sending.make(), (answer) => {
            answered += 1;
            note(sending, answer);
            if (answered === sendings.length) resolve();
            else sendSoon();
          });
        }
        sendSoon();
      } catch (err) {
        // Nothing more of these: they come again, in order.
        sent = sendings.length;
        reject(err instanceof Error ? err : new Error('not published', { cause: err }));
      }
    };
    const sendSoon = (): void => {
      const isFull = sent - answered > maxInFlight - maxPerTurn;
      if (isDue || sent === sendings.length || isFull) return;
      isDue = true;
      setImmediate(sendSome);
    };
    if (sendings.length === 0) resolve();
    sendSoon();
  });
}
