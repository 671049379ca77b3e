import { setTimeout as sleep } from 'node:timers/promises';

import { connect, type ChannelModel } from 'amqplib';
import { z } from 'zod';

import { transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import { closeConnection } from '../../support/broker/connection.ts';
import { entryEvent, entryKeys, toHeardEntry } from '../record/heard-event.ts';
import type { RunRecord } from '../record/record.ts';
import { currency } from './clients.ts';

const rejected = z.object({
  pattern: z.literal('transaction_rejected'),
  data: z.object({ userId: z.string(), messageId: z.string(), reason: z.string() }),
});

export type EventListener = {
  /** The bodies of all events of entries, as they came. */
  readonly bodies: readonly Buffer[];
  stop(): Promise<void>;
};

/** `gone` resolves once the connection is lost. */
type Opened = { readonly gone: Promise<void> };

const queue = 'mutants.listener';
const retryMs = 200;

/** A program of others with a durable queue of its own; it comes back after a lost connection. */
export async function startEventListener(url: string, record: RunRecord): Promise<EventListener> {
  const bodies: Buffer[] = [];
  let isStopped = false;
  let connection: ChannelModel | undefined;
  const open = async (): Promise<Opened> => {
    const opened = await connect(url);
    connection = opened;
    opened.on('error', () => undefined);
    const gone = new Promise<void>((resolve) => opened.once('close', resolve));
    const channel = await opened.createChannel();
    channel.on('error', () => undefined);
    await channel.assertQueue(queue, { durable: true });
    for (const key of [...entryKeys, 'transaction.rejected']) {
      await channel.bindQueue(queue, 'wallet.events', key);
    }
    await channel.consume(
      queue,
      (message) => {
        if (message) take(message.content);
      },
      { noAck: true },
    );
    return { gone };
  };
  const take = (content: Buffer): void => {
    const body: unknown = JSON.parse(content.toString());
    const rejection = rejected.safeParse(body);
    if (rejection.success) hearRejection(record, rejection.data.data);
    const event = entryEvent.safeParse(body);
    if (!event.success) return;
    bodies.push(content);
    record.hear(toHeardEntry(event.data.data));
  };
  const openAgain = async (): Promise<Opened> => {
    for (;;) {
      const opened = await open().catch(() => undefined);
      if (opened) return opened;
      // The daemons have not declared the exchange yet, or the broker is not there.
      await closeConnection(connection);
      await sleep(retryMs);
    }
  };
  const keepOpen = async (first: Opened): Promise<void> => {
    for (let opened = first; ; opened = await openAgain()) {
      await opened.gone;
      if (isStopped) return;
    }
  };
  void keepOpen(await openAgain());
  return {
    bodies,
    stop: async () => {
      isStopped = true;
      await closeConnection(connection);
    },
  };
}

function hearRejection(
  record: RunRecord,
  { userId, messageId: key, reason }: z.infer<typeof rejected>['data'],
): void {
  const transactionId = transactionIdOf(walletIdOf(userId, currency), 'message', key);
  record.hearRejection({ key, transactionId, reason });
}
