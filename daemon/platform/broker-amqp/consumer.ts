import { isUtf8 } from 'node:buffer';
import { createHash, randomUUID } from 'node:crypto';

import type { ConfirmChannel, ConsumeMessage } from 'amqplib';

import { isUuid, uuidV5 } from '../../../core/ids.ts';
import type { Consumer, DeadLetter, Handling, InboundMessage } from '../broker.ts';
import { parseJson } from '../dead-letter-replays.ts';
import type { Log } from '../log.ts';
import { describeTrouble } from '../progress/reasons.ts';
import type { ProgressWatch } from '../progress/watch.ts';
import type { Publisher } from './publisher.ts';
import { watchQueue, type QueueProgress } from './queue-progress.ts';
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

/** Gives the messages that are held: their turn has not come yet. */
type Work = (messages: readonly ConsumeMessage[]) => Promise<readonly ConsumeMessage[]>;

const maxBackoffMs = 5_000;
/** How often messages that are held are tried, where none come besides. */
const tryHeldEveryMs = 250;
/** New messages in a batch, however many are held. */
const minNew = 64;
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
      const buffer: ConsumeMessage[] = [];
      let held: readonly ConsumeMessage[] = [];
      let isBusy = false;
      const isWanted = (): boolean => isOpen && !isStopping;
      const pump = async (): Promise<void> => {
        if (isBusy) return;
        isBusy = true;
        // In a later turn of the loop, so that what came in one read is one batch.
        await nextTurn();
        while (buffer.length + held.length > 0 && isWanted()) {
          const count = Math.max(minNew, consumer.maxBatch - held.length);
          // What is held comes first, so that nothing overtakes it.
          const batch = [...held, ...buffer.splice(0, count)];
          const left = await workUntilDone(batch, work, isWanted, log, progress);
          held = left ?? batch;
          ackAll(channel, batch, held);
          if (left && left.length < batch.length) progress.finish(buffer.length + held.length);
          if (left && left.length > 0) progress.hold('the wallets of some messages are locked');
          await nextTurn();
          const endsAt = performance.now() + tryHeldEveryMs;
          while (
            isWanted() &&
            buffer.length === 0 &&
            held.length > 0 &&
            performance.now() < endsAt
          ) {
            await pause(20);
          }
        }
        isBusy = false;
      };
      const reply = await channel.consume(queue, (message) => {
        // null: the queue was deleted under us. The whole session is built anew.
        if (message === null) void channel.close().catch(() => undefined);
        else {
          buffer.push(message);
          progress.begin();
          inHand = isBusy ? inHand : pump();
        }
      });
      tag = reply.consumerTag;
      progress.open(channel, () => isBusy || buffer.length > 0);
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

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Undefined if it was not done before the channel was lost or the stop: then it comes again. */
async function workUntilDone(
  batch: readonly ConsumeMessage[],
  work: Work,
  isWanted: () => boolean,
  log: Log,
  progress: QueueProgress,
): Promise<readonly ConsumeMessage[] | undefined> {
  for (let attempt = 0; isWanted(); attempt += 1) {
    try {
      return await work(batch);
    } catch (err) {
      log.warn({ err, attempt, messages: batch.length }, 'messages are held and tried again');
      progress.hold(describeTrouble(err));
      const pauseMs = Math.min(maxBackoffMs, 100 * 2 ** attempt);
      const endsAt = performance.now() + pauseMs;
      while (isWanted() && performance.now() < endsAt) {
        await pause(50);
      }
    }
  }
  return undefined;
}

/** Acknowledges what is done: with one frame for all, unless some of it is held. */
function ackAll(
  channel: ConfirmChannel,
  batch: readonly ConsumeMessage[],
  held: readonly ConsumeMessage[],
): void {
  const last = batch.at(-1);
  try {
    if (last && held.length === 0) channel.ack(last, true);
    if (held.length === 0) return;
    const left = new Set(held);
    for (const message of batch) if (!left.has(message)) channel.ack(message);
  } catch {
    // The channel was lost after the commit: they come again, and their keys make that harmless.
  }
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
