import {
  eventsExchange,
  ownKeyOf,
  textOf,
  type Broker,
  type Consumer,
  type InboundMessage,
  type DeadLetter,
  type OutboundMessage,
} from './broker.ts';
import { letterIdOf } from './letter-id.ts';
import { isolate } from './poison-isolation.ts';
import type { Log } from '../log.ts';
import { matchesTopic } from './topic-pattern.ts';

/**
 * The transport within one process: what the relay publishes is delivered to the consumers at once.
 * The outbox keeps a message until its consumer has committed it, so nothing is lost without a
 * broker, but other processes can neither send nor receive.
 */
export function createLocalBroker(log?: Log): Broker {
  let consumers: readonly Consumer[] | undefined;
  return {
    publish: async (messages, audience) => {
      // No other program can bind a queue.
      if (audience === 'listeners') return [];
      // Without consumers the messages would be taken as delivered.
      if (!consumers) throw new Error('the local broker is not running');
      for (const consumer of consumers) await deliver(consumer, messages);
      return [];
    },
    start: (started) => {
      consumers = started.map((consumer) => ({
        ...consumer,
        handle: isolate((messages) => consumer.handle(messages), log),
        storeDeadLetters: (letters) => consumer.storeDeadLetters(letters),
      }));
      return Promise.resolve();
    },
    stopConsuming: () => Promise.resolve(),
    findTrouble: () => undefined,
    stop: () => {
      consumers = undefined;
      return Promise.resolve();
    },
  };
}

async function deliver(consumer: Consumer, messages: readonly OutboundMessage[]): Promise<void> {
  const patterns = consumer.bindings
    .filter(({ exchange }) => exchange === eventsExchange)
    .map(({ routingKey }) => routingKey);
  // Many messages of a commit share few keys.
  const isRouted = new Map<string, boolean>();
  const wanted = messages.filter(({ routingKey }) => {
    const known = isRouted.get(routingKey);
    if (known !== undefined) return known;
    const isMatch = patterns.some((pattern) => matchesTopic(pattern, ownKeyOf(routingKey)));
    isRouted.set(routingKey, isMatch);
    return isMatch;
  });
  for (let start = 0; start < wanted.length; start += consumer.maxBatch) {
    const batch = wanted.slice(start, start + consumer.maxBatch);
    const handlings = await consumer.handle(batch.map((message) => new LocalMessage(message)));
    const letters = batch.flatMap((message, i): DeadLetter[] => {
      const handling = handlings[i];
      if (handling?.kind !== 'dead') return [];
      const { reason, field } = handling;
      return [toLetter(consumer.queue, message, { reason, field })];
    });
    if (letters.length > 0) await consumer.storeDeadLetters(letters);
    if (handlings.some(({ kind }) => kind === 'held')) throw new Error(`${consumer.queue}: held`);
  }
}

function toLetter(
  queue: string,
  message: OutboundMessage,
  why: Pick<DeadLetter, 'reason' | 'field'>,
): DeadLetter {
  const { messageId } = message;
  const text = textOf(message);
  const id = letterIdOf(queue, messageId, text);
  // An event that is sent again after a failure of its neighbours is the same delivery.
  return { id, queue, messageId, ...why, text, deliveryId: id };
}

const noHeaders = {};

/**
 * Computes each part when it is read: most consumers of an event need no JSON of it. A class,
 * because the getters of an object literal are created again for each object.
 */
class LocalMessage implements InboundMessage {
  readonly userId = undefined;
  readonly headers = noHeaders;
  readonly event: InboundMessage['event'];
  readonly #sent: OutboundMessage;
  constructor(sent: OutboundMessage) {
    this.event = sent.event;
    this.#sent = sent;
  }
  get messageId(): string {
    return this.#sent.messageId;
  }
  get body(): unknown {
    return this.#sent.body;
  }
  get text(): string {
    return textOf(this.#sent);
  }
}
