import type { ConfirmChannel, Options } from 'amqplib';

import type { Broker, OutboundMessage } from '../broker.ts';
import type { Log } from '../../log.ts';
import { createPublicError } from '../../progress/public-error.ts';
import type { BundleLimits } from './bundles.ts';
import {
  createListenerRounds,
  planOwn,
  type Answer,
  type Outgoing,
  type Sending,
} from './round.ts';
import { keepSession } from './session.ts';
import { assertExchanges } from './topology.ts';

export type Publisher = Pick<Broker, 'publish' | 'findTrouble' | 'stop'> & {
  /** To a queue by its name; rejects unless the broker has confirmed it. */
  sendToQueue(queue: string, body: Buffer, options: Options.Publish): Promise<void>;
};

type OnAnswer = (answer: Answer) => void;
type Send = (outgoing: Outgoing, onAnswer: OnAnswer) => void;

/** Publishes waiting for their confirms at once: enough to fill a round trip. */
const maxInFlight = 2_000;
/** Published before others get a turn. */
const maxPerTurn = 250;

/**
 * Publishes persistent messages, and waits for the confirms. A connection for each audience: the
 * broker slows down a connection that publishes to a queue which cannot keep up.
 */
export function createPublisher(url: string, log: Log, limits?: BundleLimits): Publisher {
  const own = createSender('publisher', url, log);
  const listeners = createSender('publisher to listeners', url, log);
  const rounds = createListenerRounds();

  const publishOwn: Publish = async (messages) => {
    const answers = createAnswers(messages);
    await sendAll(planOwn(messages, limits), own.send, answers.note);
    return answers.unconfirmed();
  };
  const publishToListeners: Publish = async (messages) => {
    const answers = createAnswers(messages);
    const { now, listLater } = rounds.plan(messages);
    const note = (sending: Sending, answer: Answer): void => {
      rounds.note(sending, answer);
      answers.note(sending, answer);
    };
    await sendAll(now, listeners.send, note);
    await sendAll(listLater(), listeners.send, note);
    return answers.unconfirmed();
  };
  return {
    publish: (messages, audience) =>
      audience === 'own' ? publishOwn(messages) : publishToListeners(messages),
    sendToQueue: async (queue, body, options) => {
      const messageId = String(options.messageId);
      const full = { ...options, messageId, mandatory: true };
      const answer = await new Promise<Answer>((resolve) => {
        own.send({ exchange: '', routingKey: queue, body, options: full }, resolve);
      });
      if (answer !== 'confirmed') {
        throw createPublicError(`RabbitMQ did not confirm a message to ${queue}`);
      }
    },
    findTrouble: () => own.findTrouble() ?? listeners.findTrouble(),
    stop: async () => {
      await Promise.all([own.stop(), listeners.stop()]);
    },
  };
}

type Publish = (messages: readonly OutboundMessage[]) => Promise<readonly OutboundMessage[]>;

/** A connection that says of each message whether the broker has it, and whether a queue has. */
function createSender(name: string, url: string, log: Log) {
  const returned = new Set<string>();
  const session = keepSession({
    name,
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
  const send: Send = ({ exchange, routingKey, body, options }, onAnswer) => {
    const whole = { persistent: true, ...options };
    connected().publish(exchange, routingKey, body, whole, (err: unknown) => {
      const wasReturned = returned.size > 0 && returned.delete(nameOf(exchange, options.messageId));
      if (err !== null && err !== undefined) onAnswer('refused');
      else onAnswer(wasReturned ? 'returned' : 'confirmed');
    });
  };
  return { send, findTrouble: session.findTrouble, stop: session.stop };
}

const nameOf = (exchange: string, messageId: string): string => `${exchange} ${messageId}`;

/** Which messages of a round are to be sent again. */
function createAnswers(messages: readonly OutboundMessage[]) {
  const lost = new Set<OutboundMessage>();
  return {
    note: (sending: Sending, answer: Answer): void => {
      const isLost = answer === 'refused' || (answer === 'returned' && sending.isNeeded);
      if (isLost) for (const message of sending.carries) lost.add(message);
    },
    unconfirmed: (): readonly OutboundMessage[] =>
      lost.size === 0 ? [] : messages.filter((message) => lost.has(message)),
  };
}

/**
 * Sends all, as many at once as may be in flight and the next ones as answers come. Resolves once
 * all are answered; rejects if sending fails.
 */
function sendAll(
  sendings: readonly Sending[],
  send: Send,
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
