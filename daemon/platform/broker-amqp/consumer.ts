import { isUtf8 } from 'node:buffer';
import { createHash, randomUUID } from 'node:crypto';

import type { ConsumeMessage } from 'amqplib';

import { isUuid, uuidV5 } from '../../../core/ids.ts';
import type { Consumer, DeadLetter, Handling, InboundMessage } from '../broker.ts';
import { parseJson } from '../dead-letter-replays.ts';
import type { Log } from '../log.ts';
import type { ProgressWatch } from '../progress/watch.ts';
import type { Publisher } from './publisher.ts';
import { createPump, type Work } from './pump.ts';
import { watchQueue } from './queue-progress.ts';
import { keepSession } from './session.ts';
import { assertExchanges, assertQueues, deadQueueOf } from './topology.ts';

export type Subscription = {
  findTrouble(): string | undefined;
  /** Takes in nothing more, and ends once the batch in hand is acked. */
  stop(): Promise<void>;
};

type DrainOptions = {
  readonly url: string;
  readonly log: Log;
  readonly watch: ProgressWatch;
  readonly publisher?: Publisher;
};

const headers = {
  id: 'x-dead-letter-id',
  reason: 'x-reason',
  field: 'x-field',
  userId: 'x-producer-user-id',
} as const;
/** Namespace of dead letters' ids: a fixed random UUID. */
const letterNamespace = '5c6d2f0a-53b1-4b76-9f5e-0a4b1f3d9c27';

/**
 * Consumes a queue in batches: handled and committed, what is dead put aside and confirmed, then
 * one ack for all. A batch that cannot be handled now is held and tried again, as is a single message
 * that the consumer holds; a requeue would use up the delivery limit.
 */
export function subscribe(
  consumer: Consumer,
  options: DrainOptions & { readonly publisher: Publisher },
): Subscription {
  const { publisher } = options;
  const ownUserId = userIdOf(options.url);
  const dead = deadQueueOf(consumer.queue);
  return drainQueue(consumer.queue, consumer, options, async (messages) => {
    const inbound = messages.map(toInbound);
    const handlings = await consumer.handle(inbound);
    const held = messages.filter((_message, i) => handlings[i]?.kind === 'held');
    if (handlings.every((handling) => handling.kind !== 'dead')) return held;
    await Promise.all(
      messages.map(async (message, i) => {
        const handling: Handling | undefined = handlings[i];
        if (handling?.kind !== 'dead') return;
        const { messageId, userId } = inbound[i] ?? {};
        await publisher.sendToQueue(dead, message.content, {
          messageId: messageId ?? `unnamed ${randomUUID()}`,
          // The broker checks it: headers beside it are ours.
          userId: ownUserId,
          headers: {
            ...(userId === undefined ? {} : { [headers.userId]: userId }),
            [headers.id]: letterIdOf(consumer.queue, messageId, message.content),
            [headers.reason]: handling.reason,
            [headers.field]: handling.field,
          },
        });
      }),
    );
    return held;
  });
}

/** Moves what was put aside, by us or by the broker, into the service's own table. */
export function subscribeDead(consumer: Consumer, options: DrainOptions): Subscription {
  const queue = deadQueueOf(consumer.queue);
  const ownUserId = userIdOf(options.url);
  return drainQueue(queue, consumer, options, async (messages) => {
    await consumer.bury(messages.map((message) => toLetter(consumer.queue, message, ownUserId)));
    return [];
  });
}

function drainQueue(
  queue: string,
  consumer: Consumer,
  { url, log, watch, publisher }: DrainOptions,
  work: Work,
): Subscription {
  let isStopping = false;
  let inHand: Promise<void> = Promise.resolve();
  let tag: string | undefined;
  const progress = watchQueue(queue, watch, {
    consuming: () => session.findTrouble(),
    publishing: publisher?.findTrouble,
  });

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
      await assertExchanges(channel);
      await assertQueues(channel, consumer);
      await channel.prefetch(consumer.maxBatch * 3);
      const isWanted = (): boolean => isOpen && !isStopping;
      const pump = createPump(channel, consumer.maxBatch, work, { isWanted, log, progress });
      const reply = await channel.consume(queue, (message) => {
        // null: the queue was deleted under us. The whole session is built anew.
        if (message === null) void channel.close().catch(() => undefined);
        else {
          progress.begin();
          inHand = pump.take(message) ?? inHand;
        }
      });
      tag = reply.consumerTag;
      progress.open(channel, pump.isBusy);
    },
  });

  return {
    findTrouble: session.findTrouble,
    stop: async () => {
      isStopping = true;
      progress.stop();
      if (tag !== undefined)
        await session
          .channel()
          ?.cancel(tag)
          .catch(() => undefined);
      await inHand;
      await session.stop();
    },
  };
}

function toInbound(message: ConsumeMessage): InboundMessage {
  const text = message.content.toString('utf8');
  const { messageId, userId } = message.properties as { messageId?: unknown; userId?: unknown };
  return {
    messageId: typeof messageId === 'string' ? messageId : undefined,
    body: parseJson(text),
    text,
    userId: typeof userId === 'string' ? userId : undefined,
    headers: message.properties.headers ?? {},
  };
}

/** As whom we are connected: where a URL names nobody, amqplib takes RabbitMQ's default. */
function userIdOf(url: string): string {
  const { username } = new URL(url);
  return username === '' ? 'guest' : decodeURIComponent(username);
}

/** Who sent a message: for one that we put aside, who had sent it to us. */
function findProducer({ userId, headers: given }: InboundMessage, ownUserId: string) {
  if (userId !== ownUserId) return userId;
  const producer = given[headers.userId];
  // What the broker put aside itself came from its producer, with nothing of ours.
  if (given[headers.reason] === undefined) return userId;
  return typeof producer === 'string' ? producer : undefined;
}

function toLetter(queue: string, message: ConsumeMessage, ownUserId: string): DeadLetter {
  const inbound = toInbound(message);
  const given = inbound.headers[headers.id];
  // A producer may set any header: only what looks like ours is taken for ours.
  const ours = typeof given === 'string' && isUuid(given) ? given : undefined;
  const isUnnamed = ours !== undefined && inbound.messageId?.startsWith('unnamed ') === true;
  const messageId = isUnnamed ? undefined : inbound.messageId;
  const brokers = inbound.headers['x-first-death-reason'];
  const reason = inbound.headers[headers.reason] ?? brokers ?? 'UNKNOWN';
  const field = inbound.headers[headers.field];
  return {
    id: (isUnnamed ? ours : undefined) ?? letterIdOf(queue, messageId, message.content),
    queue,
    messageId,
    reason: typeof reason === 'string' ? reason.toUpperCase() : 'UNKNOWN',
    field: typeof field === 'string' && field !== '' ? field : undefined,
    text: inbound.text,
    userId: findProducer(inbound, ownUserId),
    isAltered: !isUtf8(message.content),
  };
}

/** A message with a name is the same letter however often it comes; one without is always new. */
function letterIdOf(queue: string, messageId: string | undefined, body: Buffer): string {
  if (messageId === undefined) return randomUUID();
  const digest = createHash('sha256').update(body).digest('hex');
  return uuidV5(letterNamespace, `${queue}:${digest}:${messageId}`);
}
