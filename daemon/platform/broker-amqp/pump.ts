import type { ConfirmChannel, ConsumeMessage } from 'amqplib';

import type { Log } from '../log.ts';
import { describeTrouble } from '../progress/reasons.ts';
import type { QueueProgress } from './queue-progress.ts';

/** Gives the messages that are held: their turn has not come yet. */
export type Work = (messages: readonly ConsumeMessage[]) => Promise<readonly ConsumeMessage[]>;

type WorkOptions = {
  /** False once the channel is lost, or the daemon stops. */
  readonly isWanted: () => boolean;
  readonly log: Log;
  readonly progress: QueueProgress;
};

const maxBackoffMs = 5_000;
/** How often messages that are held are tried, where none come besides. */
const tryHeldEveryMs = 250;
/** New messages in a batch, however many are held. */
const minNew = 64;

export type Pump = {
  /** Resolves once all messages are handled; undefined while an earlier call waits for that. */
  take(message: ConsumeMessage): Promise<void> | undefined;
  isBusy(): boolean;
};

/** Works on what comes over a channel, in batches, and acknowledges what is done. */
export function createPump(
  channel: ConfirmChannel,
  maxBatch: number,
  work: Work,
  options: WorkOptions,
): Pump {
  const { isWanted, progress } = options;
  const buffer: ConsumeMessage[] = [];
  let held: readonly ConsumeMessage[] = [];
  let isBusy = false;

  const workOnce = async (): Promise<void> => {
    const count = Math.max(minNew, maxBatch - held.length);
    // What is held comes first, so that nothing overtakes it.
    const batch = [...held, ...buffer.splice(0, count)];
    const left = await workUntilDone(batch, work, options);
    held = left ?? batch;
    ackAll(channel, batch, held);
    if (left && left.length < batch.length) progress.finish(buffer.length + held.length);
    if (left && left.length > 0) progress.hold('the wallets of some messages are locked');
    await nextTurn();
  };
  const waitForMore = async (): Promise<void> => {
    const endsAtMs = performance.now() + tryHeldEveryMs;
    while (isWanted() && buffer.length === 0 && held.length > 0 && performance.now() < endsAtMs) {
      await pause(20);
    }
  };
  const run = async (): Promise<void> => {
    isBusy = true;
    // In a later turn of the loop, so that what came in one read is one batch.
    await nextTurn();
    while (buffer.length + held.length > 0 && isWanted()) {
      await workOnce();
      await waitForMore();
    }
    isBusy = false;
  };
  return {
    take: (message) => {
      buffer.push(message);
      return isBusy ? undefined : run();
    },
    isBusy: () => isBusy || buffer.length > 0,
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Undefined if it was not done before the channel was lost or the stop: then it comes again. */
async function workUntilDone(
  batch: readonly ConsumeMessage[],
  work: Work,
  { isWanted, log, progress }: WorkOptions,
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
