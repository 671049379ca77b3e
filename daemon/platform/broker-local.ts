import {
  eventsExchange,
  textOf,
  type Broker,
  type Consumer,
  type InboundMessage,
  type OutboundMessage,
} from './broker.ts';

/**
 * The transport within one process: what the relay publishes is handed to the consumers at once.
 * The outbox keeps a message until its consumer has committed it, so nothing is lost without a
 * broker; only nobody outside can send or hear.
 */
export function createLocalBroker(): Broker {
  let consumers: readonly Consumer[] | undefined;
  return {
    publish: async (messages) => {
      // Nobody to hand them to must not look like nobody who wants them.
      if (!consumers) throw new Error('the local broker is not running');
      for (const consumer of consumers) await deliver(consumer, messages);
      return [];
    },
    start: (started) => {
      consumers = started;
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
    const dead = handlings.find((handling) => handling.kind === 'dead');
    if (handlings.some(({ kind }) => kind === 'held')) throw new Error(`${consumer.queue}: held`);
    // Only our own services publish here: a message that they refuse is a defect, and stays.
    if (dead) throw new Error(`${consumer.queue}: ${dead.reason} (${dead.field})`);
  }
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
