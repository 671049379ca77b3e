import { setTimeout as sleep } from 'node:timers/promises';

import { connect, type Channel, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { z } from 'zod';

import { closeConnection } from '../../support/broker/connection.ts';
import { meaningOf } from '../book.ts';
import { entryEvent, entryKeys, toHeardEntry } from '../record/heard-event.ts';
import { recordLatency, type Load } from './load.ts';

const rejected = z.object({
  pattern: z.literal('transaction_rejected'),
  data: z.object({ messageId: z.string(), reason: z.string() }),
});

type Heard = { readonly id: string; readonly hash: string; readonly text: string };

export type Listener = {
  /** By wallet and seq. */
  readonly heard: ReadonlyMap<string, ReadonlyMap<bigint, Heard>>;
  /** Events that came again. */
  readonly repeated: number;
  /** Acknowledges nothing until `goOn`. */
  pause(): void;
  goOn(): void;
  stop(): Promise<void>;
};

const queue = 'faults.listener';

type Opened = { readonly gone: Promise<void> };

/** Opens again whenever the connection is gone. */
async function keepOpen(
  first: Opened,
  open: () => Promise<Opened>,
  closeHalf: () => Promise<void>,
  isStopped: () => boolean,
): Promise<void> {
  await first.gone;
  while (!isStopped()) {
    await sleep(200);
    // Refused, or closed half-way: once more.
    await open().then(({ gone }) => gone, closeHalf);
  }
}

/** What passes waits while a pause lasts. */
function createPauses() {
  let paused: Promise<void> | undefined;
  let letGo: () => void = () => undefined;
  return {
    begin: () => void (paused ??= new Promise((resolve) => (letGo = resolve))),
    end: () => {
      paused = undefined;
      letGo();
    },
    passed: () => paused ?? Promise.resolve(),
  };
}

function takeMessage(
  load: Load,
  take: (body: string) => void,
  channel: Channel,
  message: ConsumeMessage,
): void {
  try {
    take(message.content.toString());
  } catch (err) {
    load.report.violate('events', String(err), message.content.toString());
  }
  try {
    channel.ack(message);
  } catch {
    // The channel has just closed: the message comes again.
  }
}

/** A program of others, with a durable queue of its own on `wallet.events`. */
export async function startListener(load: Load): Promise<Listener> {
  const { broker, vhost } = load.site;
  const heard = new Map<string, Map<bigint, Heard>>();
  let repeated = 0;
  let isStopped = false;
  const pauses = createPauses();
  let connection: ChannelModel | undefined;

  const take = (body: string): void => {
    const message: unknown = JSON.parse(body);
    const isRejection = rejected.safeParse(message);
    if (isRejection.success) {
      takeRejected(load, isRejection.data.data);
      return;
    }
    const { data } = entryEvent.parse(message);
    const { id, hash } = data.transaction;
    load.record.hear(toHeardEntry(data));
    const seq = BigInt(data.transaction.seq);
    const text = JSON.stringify(data);
    const wallet = heard.get(data.walletId) ?? new Map<bigint, Heard>();
    heard.set(data.walletId, wallet);
    const before = wallet.get(seq);
    if (before) repeated += 1;
    if (before && before.text !== text) {
      load.report.violate('events', 'another event under one seq', `${before.text}\n  ${text}`);
    }
    wallet.set(seq, before ?? { id, hash, text });
    const op = load.book.findById(id);
    if (op?.via !== 'message' || op.walletId !== data.walletId || before) return;
    load.book.settle(op, { isDone: true, seq });
    recordLatency(load, 'messages', op);
  };
  /** Gives what resolves once the connection is gone. */
  const open = async (): Promise<Opened> => {
    const opened = await connect(broker.url(vhost));
    connection = opened;
    opened.on('error', () => undefined);
    const gone = new Promise<void>((resolve) => opened.once('close', resolve));
    const channel = await opened.createChannel();
    channel.on('error', () => undefined);
    await channel.assertQueue(queue, { durable: true });
    for (const key of [...entryKeys, 'transaction.rejected']) {
      await channel.bindQueue(queue, 'wallet.events', key);
    }
    await channel.prefetch(200);
    await channel.consume(queue, (message: ConsumeMessage | null) => {
      if (!message) return;
      void pauses.passed().then(() => takeMessage(load, take, channel, message));
    });
    return { gone };
  };
  const closeNow = (): Promise<void> => closeConnection(connection);
  void keepOpen(await open(), open, closeNow, () => isStopped);
  return {
    heard,
    get repeated() {
      return repeated;
    },
    pause: pauses.begin,
    goOn: pauses.end,
    stop: async () => {
      isStopped = true;
      await closeConnection(connection);
    },
  };
}

function takeRejected(load: Load, data: { messageId: string; reason: string }): void {
  const { messageId, reason } = data;
  const op = load.book.findMessage(messageId);
  if (!op) {
    load.report.violate('events', 'a rejection of no message of ours', messageId);
    return;
  }
  const isFirst = op.outcome === undefined;
  load.record.hearRejection({ key: messageId, transactionId: op.id, reason });
  load.book.note(op, 'event', op.startedMs, reason);
  if (meaningOf(reason) === 'internal') {
    load.report.violate('INTERNAL', 'a message was rejected so', load.book.describe(op));
  } else if (meaningOf(reason) !== 'final') {
    load.report.violate('refusals', `${reason} to a message`, load.book.describe(op));
  }
  load.book.settle(op, { isDone: false, reason });
  if (isFirst) recordLatency(load, 'messages', op);
}
