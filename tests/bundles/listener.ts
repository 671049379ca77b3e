import { setTimeout as sleep } from 'node:timers/promises';

import { connect, type ChannelModel, type ConsumeMessage } from 'amqplib';

import { closeConnection, unlessLost } from '../support/broker/connection.ts';

/** One message as it arrived. */
export type Heard = {
  readonly atMs: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly messageId: string;
  readonly body: string;
};

export type Listener = {
  /** In the order of arrival, repeats included. */
  readonly heard: readonly Heard[];
  /** How often the transaction with this seq of a wallet arrived: `walletId seq`. */
  timesOf(place: string): number;
  stop(): Promise<void>;
};

const queue = 'outside';
const place = /"walletId":"([^"]+)".*?"seq":(\d+)/;

/** A program of others with a durable queue of its own, bound to `wallet.events` with `#`. */
export async function startListener(url: string): Promise<Listener> {
  const heard: Heard[] = [];
  const times = new Map<string, number>();
  let isStopped = false;
  let connection: ChannelModel | undefined;

  const take = ({ fields, properties, content }: ConsumeMessage): void => {
    const { exchange, routingKey } = fields;
    const body = content.toString();
    const messageId = String(properties.messageId);
    heard.push({ atMs: performance.now(), exchange, routingKey, messageId, body });
    const [, walletId, seq] = place.exec(body) ?? [];
    if (walletId === undefined) return;
    const name = `${walletId} ${seq}`;
    times.set(name, (times.get(name) ?? 0) + 1);
  };
  const consume = async (opened: ChannelModel): Promise<void> => {
    const channel = await opened.createChannel();
    channel.on('error', () => undefined);
    // Declared by the daemon as well, with the same arguments.
    await channel.assertExchange('wallet.events', 'topic', { durable: true });
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.bindQueue(queue, 'wallet.events', '#');
    await channel.prefetch(200);
    await channel.consume(queue, (message: ConsumeMessage | null) => {
      // The queue's leader was lost: over a new connection it is consumed again.
      if (!message) return void closeConnection(opened);
      take(message);
      try {
        channel.ack(message);
      } catch {
        // The channel has just closed: the message comes again.
      }
    });
  };
  /** Gives what resolves once the connection is gone. */
  const open = async (): Promise<{ readonly gone: Promise<void> }> => {
    const opened = await connect(url, { timeout: 5_000 });
    connection = opened;
    opened.on('error', () => undefined);
    const gone = new Promise<void>((resolve) => opened.once('close', resolve));
    await unlessLost(opened, consume(opened));
    return { gone };
  };
  const keepOpen = async (first: { readonly gone: Promise<void> }): Promise<void> => {
    await first.gone;
    while (!isStopped) {
      await sleep(200);
      await open().then(
        ({ gone }) => gone,
        () => closeConnection(connection),
      );
    }
  };
  void keepOpen(await open());
  return {
    heard,
    timesOf: (name) => times.get(name) ?? 0,
    stop: async () => {
      isStopped = true;
      await closeConnection(connection);
    },
  };
}
