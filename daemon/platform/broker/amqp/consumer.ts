import type { Consumer, Handling } from '../broker.ts';
import { isolate } from '../poison-isolation.ts';
import type { Log } from '../../log.ts';
import type { Serial } from '../../concurrency/serial.ts';
import type { ProgressWatch } from '../../progress/watch.ts';
import { createDeliveries, type Part } from './deliveries.ts';
import { createIntake } from './intake.ts';
import { toDeadLetterMessage, toLetter, userIdOf } from './letters.ts';
import type { Publisher } from './publisher.ts';
import { createPump, type BatchLimits, type Work } from './pump.ts';
import { watchQueue } from './queue-progress.ts';
import { keepSession } from './session.ts';
import { assertExchanges, assertQueues, deadQueueOf, takesBundles } from './topology.ts';

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

const batchBytes = 8 * 1024 * 1024;
const batchOf = ({ maxBatch }: Consumer): BatchLimits => ({
  messages: maxBatch,
  bytes: batchBytes,
});
/** About 2,000 events. */
const bundleBatch: BatchLimits = { messages: 64, bytes: 1024 * 1024 };

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
  const handle = isolate((inbound) => consumer.handle(inbound), options.log);
  const isBundled = takesBundles(consumer);
  const partsOf = createDeliveries(isBundled);
  const limits = isBundled ? bundleBatch : batchOf(consumer);
  return drainQueue(queue, consumer, { ...options, limits }, async (messages) => {
    const open = messages.flatMap(partsOf).filter(({ isDone }) => !isDone);
    const handlings = await handleParts(handle, open);
    await Promise.all(
      open.map(async (part, i) => {
        const handling = handlings[i];
        if (!handling || handling.kind === 'held') return;
        if (handling.kind === 'dead') {
          const letter = part.letter();
          const properties = toDeadLetterMessage(queue, letter, handling, ownUserId);
          await publisher.sendToQueue(deadQueueOf(queue), letter.content, properties);
        }
        part.isDone = true;
      }),
    );
    return messages.filter((message) => !partsOf(message).every(({ isDone }) => isDone));
  });
}

/** One handling for each part; what is dead unread is not handed over. */
async function handleParts(
  handle: Consumer['handle'],
  parts: readonly Part[],
): Promise<readonly (Handling | undefined)[]> {
  const inbound = parts.flatMap((part) => part.inbound ?? []);
  const handled = inbound.length > 0 ? await handle(inbound) : [];
  let next = 0;
  return parts.map(({ verdict }) => verdict ?? handled[next++]);
}

/** Moves dead letters, of the consumer and of the broker, into the service's own table. */
export function subscribeDead(consumer: Consumer, options: DrainOptions): Subscription {
  const queue = deadQueueOf(consumer.queue);
  const ownUserId = userIdOf(options.url);
  const limits = batchOf(consumer);
  return drainQueue(queue, consumer, { ...options, limits }, async (messages) => {
    await consumer.storeDeadLetters(
      messages.map((message) => toLetter(consumer.queue, message, ownUserId)),
    );
    return [];
  });
}

function drainQueue(
  queue: string,
  consumer: Consumer,
  { url, log, watch, declare, publisher, limits }: DrainOptions & { readonly limits: BatchLimits },
  work: Work,
): Subscription {
  let isStopping = false;
  let inFlight: Promise<void> = Promise.resolve();
  const progress = watchQueue(queue, watch, {
    consuming: () => session.findTrouble(),
    publishing: publisher?.findTrouble,
  });
  const intake = createIntake({ queue, maxBatch: limits.messages, log });

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
      const pump = createPump(channel, work, {
        ...{ isWanted, log, progress, window, limits },
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
