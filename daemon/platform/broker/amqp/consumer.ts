import type { ConsumeMessage } from 'amqplib';

import type { Consumer, Handling, InboundMessage } from '../broker.ts';
import { isolate } from '../poison-isolation.ts';
import type { Log } from '../../log.ts';
import type { Serial } from '../../concurrency/serial.ts';
import type { ProgressWatch } from '../../progress/watch.ts';
import { createIntake } from './intake.ts';
import { findSizeFault, toDeadLetterMessage, toInbound, toLetter, userIdOf } from './letters.ts';
import type { Publisher } from './publisher.ts';
import { createPump, type Work } from './pump.ts';
import { watchQueue } from './queue-progress.ts';
import { keepSession } from './session.ts';
import { assertExchanges, assertQueues, deadQueueOf } from './topology.ts';

export type Subscription = {
  findTrouble(): string | undefined;
  /** Takes no more messages, and ends once the batch in flight is acked. */
  stop(): Promise<void>;
};

type DrainOptions = {
  readonly url: string;
  readonly log: Log;
  readonly watch: ProgressWatch;
  /** Declares while no other session declares the same queues. */
  readonly declare: Serial;
  readonly publisher?: Publisher;
};

/**
 * Consumes a queue in batches: handled and committed, what is dead sent to the dead-letter queue
 * and confirmed, then one ack for all. A batch that cannot be handled now is held and tried again,
 * as is a single message that the consumer holds. What fails by itself fails no other (`isolate`).
 */
export function subscribe(
  consumer: Consumer,
  options: DrainOptions & { readonly publisher: Publisher },
): Subscription {
  const { publisher } = options;
  const { queue } = consumer;
  const ownUserId = userIdOf(options.url);
  const handle = withInbound(isolate((inbound) => consumer.handle(inbound), options.log));
  return drainQueue(queue, consumer, options, async (messages) => {
    const handlings = await handle(messages);
    await Promise.all(
      messages.map(async (message, i) => {
        const handling = handlings[i];
        if (handling?.kind !== 'dead') return;
        const letter = toDeadLetterMessage(queue, message, handling, ownUserId);
        await publisher.sendToQueue(deadQueueOf(queue), message.content, letter);
      }),
    );
    return messages.filter((_message, i) => handlings[i]?.kind === 'held');
  });
}

type HandleMessages = (messages: readonly ConsumeMessage[]) => Promise<readonly Handling[]>;

/** Each message is read once, however often it is tried; what is too large is not read at all. */
function withInbound(handle: Consumer['handle']): HandleMessages {
  const known = new WeakMap<ConsumeMessage, InboundMessage>();
  const read = (message: ConsumeMessage): InboundMessage => {
    const inbound = known.get(message) ?? toInbound(message);
    known.set(message, inbound);
    return inbound;
  };
  return async (messages) => {
    const faults = messages.map(findSizeFault);
    const readable = messages.filter((_message, i) => !faults[i]);
    const handled = readable.length > 0 ? await handle(readable.map(read)) : [];
    let next = 0;
    return faults.map((fault) => fault ?? handled[next++] ?? { kind: 'held' });
  };
}

/** Moves dead letters, of the consumer and of the broker, into the service's own table. */
export function subscribeDead(consumer: Consumer, options: DrainOptions): Subscription {
  const queue = deadQueueOf(consumer.queue);
  const ownUserId = userIdOf(options.url);
  return drainQueue(queue, consumer, options, async (messages) => {
    await consumer.storeDeadLetters(
      messages.map((message) => toLetter(consumer.queue, message, ownUserId)),
    );
    return [];
  });
}

function drainQueue(
  queue: string,
  consumer: Consumer,
  { url, log, watch, declare, publisher }: DrainOptions,
  work: Work,
): Subscription {
  let isStopping = false;
  let inFlight: Promise<void> = Promise.resolve();
  const progress = watchQueue(queue, watch, {
    consuming: () => session.findTrouble(),
    publishing: publisher?.findTrouble,
  });
  const intake = createIntake({ queue, maxBatch: consumer.maxBatch, log });

  const session = keepSession({
    name: `consumer ${queue}`,
    url,
    log,
    setup: async (channel) => {
      let isOpen = true;
      channel.on('close', () => {
        isOpen = false;
        progress.close();
      });
      await declare(async () => {
        await assertExchanges(channel);
        await assertQueues(channel, consumer);
      });
      const isWanted = (): boolean => isOpen && !isStopping;
      const window = intake.open(channel, (message) => {
        progress.begin();
        inFlight = pump.take(message) ?? inFlight;
      });
      const pump = createPump(channel, consumer.maxBatch, work, {
        ...{ isWanted, log, progress, window },
      });
      await window.start();
      progress.open(channel, pump.isBusy);
    },
  });

  return {
    findTrouble: session.findTrouble,
    stop: async () => {
      isStopping = true;
      progress.stop();
      await intake.stop();
      await inFlight;
      await session.stop();
    },
  };
}
