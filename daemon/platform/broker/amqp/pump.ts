import type { ConfirmChannel, ConsumeMessage } from 'amqplib';

import type { Log } from '../../log.ts';
import { describeTrouble } from '../../progress/reasons.ts';
import { fewMessages, type Window } from './intake.ts';
import type { QueueProgress } from './queue-progress.ts';

/** Gives the messages that are held: their turn has not come yet. */
export type Work = (messages: readonly ConsumeMessage[]) => Promise<readonly ConsumeMessage[]>;

type WorkOptions = {
  /** False once the channel is lost, or the daemon stops. */
  readonly isWanted: () => boolean;
  readonly log: Log;
  readonly progress: QueueProgress;
  readonly window: Pick<Window, 'note' | 'release'>;
  readonly limits: BatchLimits;
};

export type BatchLimits = {
  readonly messages: number;
  /** Of the bodies; the first message may be larger. */
  readonly bytes: number;
};

const maxBackoffMs = 5_000;
/** How often messages that are held are tried, where none come besides. */
const tryHeldEveryMs = 250;
/** After so long without any success most of what is unacknowledged goes back to the queue. */
const releaseAfterMs = 10_000;

export type Pump = {
  /** Resolves once all messages are handled; undefined while an earlier call waits for that. */
  take(message: ConsumeMessage): Promise<void> | undefined;
  isBusy(): boolean;
};

/** Works on what comes over a channel, in batches, and acknowledges what is done. */
export function createPump(channel: ConfirmChannel, work: Work, options: WorkOptions): Pump {
  const { isWanted, log, progress, window, limits } = options;
  const buffer: ConsumeMessage[] = [];
  let held: readonly ConsumeMessage[] = [];
  let isBusy = false;
  let failures = 0;
  let failingSince = 0;

  const workOnce = async (): Promise<void> => {
    // What is held comes first, so that nothing overtakes it.
    // At least half a batch is new, so that many that are held do not slow the others down.
    const { messages, bytes } = limits;
    const room = Math.max(messages >> 1, messages - held.length);
    const batch = [...held, ...takeBatch(buffer, { messages: room, bytes })];
    held = batch;
    const left = await work(batch);
    failures = 0;
    held = left;
    ackAll(channel, batch, held);
    const still = new Set(held);
    window.note(batch.filter((message) => !still.has(message)));
    if (left.length < batch.length) progress.finish(buffer.length + held.length);
    if (left.length > 0) progress.hold('the wallets of some messages are locked');
    await nextTurn();
  };
  /**
   * All of it is tried again, with what has come besides, until the channel is lost or the stop.
   */
  const waitAfter = async (err: unknown): Promise<void> => {
    const messages = held.length;
    log.warn({ err, attempt: failures, messages }, 'messages are held and tried again');
    progress.hold(describeTrouble(err));
    if (failures === 0) failingSince = performance.now();
    const pauseMs = Math.min(maxBackoffMs, 100 * 2 ** failures);
    failures += 1;
    const isLong = performance.now() - failingSince >= releaseAfterMs;
    // Those that stay, and as many that come besides, are few.
    const hasMany = held.length + buffer.length > 2 * fewMessages;
    if (isLong && hasMany) held = await window.release(() => [...held, ...takeAll()]);
    const endsAt = performance.now() + pauseMs;
    while (isWanted() && performance.now() < endsAt) await pause(50);
  };
  const takeAll = (): ConsumeMessage[] => buffer.splice(0);
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
      await workOnce().then(waitForMore, waitAfter);
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

/** The first of the messages, within the limits; at least one. */
function takeBatch(buffer: ConsumeMessage[], limits: BatchLimits): ConsumeMessage[] {
  let bytes = 0;
  let count = 0;
  for (const { content } of buffer) {
    bytes += content.length;
    if (count === limits.messages || (count > 0 && bytes > limits.bytes)) break;
    count += 1;
  }
  return buffer.splice(0, count);
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
