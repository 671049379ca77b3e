import type { ConfirmChannel, ConsumeMessage } from 'amqplib';

import { createSerial } from '../../concurrency/serial.ts';
import type { Log } from '../../log.ts';

/** How much is taken from the broker over one channel, before it is acknowledged. */
export type Window = {
  start(): Promise<void>;
  /** A batch was acknowledged. */
  note(messages: readonly ConsumeMessage[]): void;
  /**
   * Nothing can be handled now: from here on few messages are taken, and most of those that
   * `takeAll` gives go back to the queue, for any consumer that can handle them. Gives those that
   * stay.
   */
  release(takeAll: () => readonly ConsumeMessage[]): Promise<readonly ConsumeMessage[]>;
};

export type Intake = {
  open(channel: ConfirmChannel, onMessage: (message: ConsumeMessage) => void): Window;
  /** Takes nothing more; the broker has said so when it resolves, or the channel is lost. */
  stop(): Promise<void>;
};

/** In all that is not acknowledged; one message may be larger. */
const maxBytes = 32 * 1024 * 1024;
/** Held while nothing can be handled: enough to see whether it is for a message or for all. */
export const fewMessages = 16;

/**
 * Takes messages from a queue: as many as three batches, while they are small and can be handled.
 * RabbitMQ has no bound in bytes. So what comes is counted, and where it is too much the channel is
 * given up: all goes back, and the next channel takes fewer at once. The number grows again with
 * what is done.
 */
export function createIntake(options: {
  readonly queue: string;
  readonly maxBatch: number;
  readonly log: Log;
}): Intake {
  const { queue, log } = options;
  const most = options.maxBatch * 3;
  let limit = most;
  let stopNow: (() => Promise<void>) | undefined;
  return {
    open: (channel, onMessage) => {
      let unacked = 0;
      let bytes = 0;
      let largest = 0;
      let isFull = false;
      const done = { count: 0, bytes: 0 };
      const subscription = createSubscription(channel, queue, (message) => {
        unacked += 1;
        bytes += message.content.length;
        largest = Math.max(largest, message.content.length);
        if (isFull) return;
        if (bytes > maxBytes && unacked > 1) {
          isFull = true;
          limit = Math.max(1, Math.floor(Math.min(limit / 4, maxBytes / largest)));
          log.warn({ queue, bytes, limit }, 'large messages: fewer are taken at once');
          void channel.close().catch(() => undefined);
          return;
        }
        onMessage(message);
      });
      stopNow = subscription.stop;
      const removeUnacked = (messages: readonly ConsumeMessage[]): number => {
        const size = messages.reduce((sum, { content }) => sum + content.length, 0);
        unacked -= messages.length;
        bytes -= size;
        return size;
      };
      return {
        start: () => subscription.take(limit),
        note: (messages) => {
          done.bytes += removeUnacked(messages);
          done.count += messages.length;
          if (limit >= most || done.count < 2 * limit) return;
          const fitting = (done.count * maxBytes) / (2 * Math.max(1, done.bytes));
          const next = Math.max(limit, Math.floor(Math.min(most, limit * 4, fitting)));
          if (next > limit) void subscription.take((limit = next)).catch(ignoreLoss);
          done.count = done.bytes = 0;
        },
        release: async (takeAll) => {
          // First of all: what goes back would be delivered to us again.
          await subscription.pause().catch(ignoreLoss);
          const messages = takeAll();
          const back = messages.slice(fewMessages);
          removeUnacked(back);
          for (const message of back) giveBack(channel, message);
          limit = Math.min(limit, fewMessages);
          await subscription.take(limit).catch(ignoreLoss);
          return messages.slice(0, fewMessages);
        },
      };
    },
    stop: async () => stopNow?.(),
  };
}

/** One consumer on the channel at a time: how much it gets can only be said when it begins. */
function createSubscription(
  channel: ConfirmChannel,
  queue: string,
  onMessage: (message: ConsumeMessage) => void,
) {
  let tag: string | undefined;
  let isStopped = false;
  const inOrder = createSerial();
  const cancel = async (): Promise<void> => {
    const cancelled = tag;
    tag = undefined;
    if (cancelled !== undefined) await channel.cancel(cancelled);
  };
  const begin = async (limit: number): Promise<void> => {
    await cancel();
    if (isStopped) return;
    await channel.prefetch(limit);
    const reply = await channel.consume(queue, (message) => {
      // null: the queue was deleted under us. The whole session is built anew.
      if (message === null) void channel.close().catch(() => undefined);
      else onMessage(message);
    });
    tag = reply.consumerTag;
  };
  return {
    take: (limit: number): Promise<void> => inOrder(() => begin(limit)),
    pause: (): Promise<void> => inOrder(cancel),
    stop: (): Promise<void> => {
      isStopped = true;
      return inOrder(cancel).catch(() => undefined);
    },
  };
}

/** Of a channel: then all goes back to the queue by itself. */
const ignoreLoss = (): void => undefined;

function giveBack(channel: ConfirmChannel, message: ConsumeMessage): void {
  try {
    channel.nack(message, false, true);
  } catch {
    ignoreLoss();
  }
}
