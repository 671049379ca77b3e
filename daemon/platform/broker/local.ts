import {
  eventsExchange,
  textOf,
  type Broker,
  type Consumer,
  type InboundMessage,
  type DeadLetter,
  type OutboundMessage,
} from './broker.ts';
import { letterIdOf } from '../dead-letters/letter-id.ts';
import { isolate } from './isolation.ts';
import type { Log } from '../log.ts';

/**
 * The transport within one process: what the relay publishes is handed to the consumers at once.
 * The outbox keeps a message until its consumer has committed it, so nothing is lost without a
 * broker; only nobody outside can send or hear.
 */
export function createLocalBroker(log?: Log): Broker {
  let consumers: readonly Consumer[] | undefined;
  return {
    publish: async (messages) => {
      // Nobody to hand them to must not look like nobody who wants them.
      if (!consumers) throw new Error('the local broker is not running');
      for (const consumer of consumers) await deliver(consumer, messages);
      return [];
    },
    start: (started) => {
      consumers = started.map((consumer) => ({
        ...consumer,
        handle: isolate((messages) => consumer.handle(messages), log),
        bury: (letters) => consumer.bury(letters),
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
  const keys = new Set(
    consumer.bindings.filter((b) => b.exchange === eventsExchange).map((b) => b.routingKey),
  );
  const wanted = messages.filter((message) => keys.has(message.routingKey));
  for (let start = 0; start < wanted.length; start += consumer.maxBatch) {
    const batch = wanted.slice(start, start + consumer.maxBatch);
    const handlings = await consumer.handle(batch.map((message) => new LocalMessage(message)));
    const letters = batch.flatMap((message, i): DeadLetter[] => {
      const handling = handlings[i];
      if (handling?.kind !== 'dead') return [];
      const { reason, field } = handling;
      return [toLetter(consumer.queue, message, { reason, field })];
    });
    if (letters.length > 0) await consumer.bury(letters);
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
 * Made only as far as it is looked at: most consumers of an event need no JSON of it. A class for
 * its getters: those of an object literal are made anew for each.
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
