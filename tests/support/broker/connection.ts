import { setTimeout as sleep } from 'node:timers/promises';

import type { ChannelModel } from 'amqplib';

const closeMs = 2_000;
const setupMs = 10_000;

/**
 * Closes a connection that may have been lost already: then the broker's answer, which `close`
 * waits for, never comes.
 */
export async function closeConnection(connection: ChannelModel | undefined): Promise<void> {
  const closed = connection?.close().catch(() => undefined);
  await Promise.race([closed, sleep(closeMs)]);
}

/** Rejects if the connection is lost, or too much time passes, before the work on it is done. */
export async function unlessLost<T>(connection: ChannelModel, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const lost = new Promise<never>((_resolve, reject) => {
    const fail = (): void => reject(new Error('the connection was lost'));
    connection.once('close', fail);
    timer = setTimeout(fail, setupMs);
  });
  return Promise.race([work, lost]).finally(() => clearTimeout(timer));
}
