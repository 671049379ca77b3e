import { randomUUID } from 'node:crypto';

import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';

import { transactionIdOf, walletIdOf } from '../../core/ids.ts';
import { createRandom } from '../fuzz/random.ts';
import { publishDeepHeaders } from '../support/broker/deep-headers.ts';
import { makePoison, type Poison } from './kinds.ts';

export type Sent = {
  /** The ids that the good ones must have as transactions. */
  readonly good: ReadonlySet<string>;
  readonly bad: readonly Poison[];
  /** Good ones that were sent twice. */
  readonly duplicates: number;
};

const perRound = 500;

/** Sends messages of which 1 % are bad, all confirmed; one good one in a hundred comes twice. */
export async function sendAll(
  url: string,
  options: {
    readonly count: number;
    readonly seed: string;
    readonly userIds: readonly string[];
    readonly onRound: (sent: number) => void;
  },
): Promise<Sent> {
  const { count, seed, userIds, onRound } = options;
  const connection = await connect(url);
  connection.on('error', () => undefined);
  const channel = await connection.createConfirmChannel();
  const good = new Set<string>();
  const bad: Poison[] = [];
  let duplicates = 0;
  const sendGood = (n: number): void => {
    const random = createRandom(seed, 'good', n);
    const userId = random.pick(userIds);
    const messageId = randomUUID();
    good.add(transactionIdOf(walletIdOf(userId, 'BRL'), 'message', messageId));
    const transaction = { operation: 'deposit', amount: '0.01', currency: 'BRL' };
    const named = random.chance(50) ? userId : userId.toUpperCase();
    const body = JSON.stringify({
      ...{ pattern: 'transaction_emitted', data: { userId: named, transaction } },
    });
    const times = random.chance(1) ? 2 : 1;
    duplicates += times - 1;
    for (let i = 0; i < times; i += 1) {
      channel.sendToQueue('wallet_queue', Buffer.from(body), { persistent: true, messageId });
    }
  };
  for (let n = 0; n < count; n += 1) {
    if (n % 100 === 50) {
      const poison = makePoison(bad.length, userIds[bad.length % userIds.length] ?? '');
      bad.push(poison);
      await sendPoison(connection, channel, poison);
    } else sendGood(n);
    if ((n + 1) % perRound !== 0) continue;
    await channel.waitForConfirms();
    onRound(n + 1);
  }
  await channel.waitForConfirms();
  await connection.close();
  return { good, bad, duplicates };
}

async function sendPoison(
  connection: ChannelModel,
  channel: ConfirmChannel,
  { queue, messageId, body, hasDeepHeaders }: Poison,
): Promise<void> {
  if (hasDeepHeaders) {
    await publishDeepHeaders(connection, queue, messageId ?? '', body.toString());
    return;
  }
  const name = messageId === undefined ? {} : { messageId };
  channel.sendToQueue(queue, body, { persistent: true, ...name });
}
