import { setTimeout as sleep } from 'node:timers/promises';

import { connect, type ConfirmChannel, type GetMessage } from 'amqplib';

import { makePoison, poisonKinds, type Poison } from '../poison/kinds.ts';
import { closeConnection } from '../support/broker/connection.ts';

/** What was done to bundles while no daemon ran. */
export type QueueChanges = {
  /** Bundles and single events found, and those of them with the flag `redelivered`. */
  bundles: number;
  singles: number;
  redelivered: number;
  /** Events of bundles that were put into the queue as single messages instead. */
  split: number;
  /** Events of bundles that were put into the queue twice. */
  doubled: number;
  /** Events that can never be handled, each put between the events of a bundle. */
  readonly poison: Poison[];
};

export const createQueueChanges = (): QueueChanges => ({
  ...{ bundles: 0, singles: 0, redelivered: 0, split: 0, doubled: 0, poison: [] },
});

type Body = {
  readonly pattern: string;
  readonly data: { readonly events?: readonly unknown[] };
};

const queue = 'statement_queue';
const maxTaken = 40;
/** So many have a poison event between two others. */
const minEvents = 6;
const waitMs = 5_000;

/**
 * While no daemon runs: takes bundles off the statement service's queue, and puts back the same
 * events in other forms. These are the only carriers of the events then. A third of a bundle is
 * sent as single messages, as a daemon without bundles sends them; a third as a bundle with a
 * poison event within; and a third as a bundle that comes twice.
 */
export async function changeQueue(
  url: string,
  userId: string,
  changes: QueueChanges,
): Promise<void> {
  const connection = await connect(url);
  connection.on('error', () => undefined);
  const channel = await connection.createConfirmChannel();
  try {
    const taken = await takeMessages(channel);
    const done: GetMessage[] = [];
    // Small bundles are changed together.
    let small: { readonly message: GetMessage; readonly events: readonly unknown[] }[] = [];
    for (const message of taken) {
      const body = JSON.parse(message.content.toString()) as Body;
      const { events } = body.data;
      const isBundle = body.pattern === 'transactions_created' && events !== undefined;
      if (message.fields.redelivered) changes.redelivered += 1;
      if (!isBundle) {
        changes.singles += 1;
        continue;
      }
      changes.bundles += 1;
      small.push({ message, events });
      const all = small.flatMap((bundle) => bundle.events);
      if (all.length < minEvents) continue;
      sendChanged(channel, all, userId, changes);
      done.push(...small.map((bundle) => bundle.message));
      small = [];
    }
    await channel.waitForConfirms();
    for (const message of done) channel.ack(message);
    const back = taken.filter((message) => !done.includes(message));
    for (const message of back) channel.nack(message, false, true);
    // Answered after the acks before it.
    await channel.checkQueue(queue);
  } finally {
    await closeConnection(connection);
  }
}

/** What a killed daemon had not acknowledged is there as soon as the broker sees its end. */
async function takeMessages(channel: ConfirmChannel): Promise<GetMessage[]> {
  const taken: GetMessage[] = [];
  const endsAtMs = performance.now() + waitMs;
  while (taken.length < maxTaken && performance.now() < endsAtMs) {
    const message = await channel.get(queue);
    if (message) taken.push(message);
    else if (taken.length > 0) break;
    else await sleep(50);
  }
  return taken;
}

const stored = { persistent: true, mandatory: true };

function sendChanged(
  channel: ConfirmChannel,
  events: readonly unknown[],
  userId: string,
  changes: QueueChanges,
): void {
  const sendBundle = (part: readonly unknown[]): void => {
    const body = { pattern: 'transactions_created', data: { events: part } };
    const content = Buffer.from(JSON.stringify(body));
    channel.publish('wallet.bundles', 'transaction.created', content, stored);
  };
  const third = Math.floor(events.length / 3);
  const poison = makeBundledPoison(changes.poison.length, userId);
  changes.poison.push(poison);
  for (const event of events.slice(0, third)) {
    channel.sendToQueue(queue, Buffer.from(JSON.stringify(event)), stored);
  }
  changes.split += third;
  const withPoison = events.slice(third, 2 * third);
  withPoison.splice(third >> 1, 0, JSON.parse(poison.body.toString()));
  sendBundle(withPoison);
  const rest = events.slice(2 * third);
  for (let i = 0; i < 2; i += 1) sendBundle(rest);
  changes.doubled += rest.length;
}

const eventKinds = poisonKinds.flatMap((kind, n) => (kind.startsWith('an event ') ? [n] : []));

/** It has no id: that of its dead letter follows from its text. */
function makeBundledPoison(n: number, userId: string): Poison {
  const kind = eventKinds[n % eventKinds.length] ?? 0;
  const poison = makePoison(kind + poisonKinds.length * (1 + n), userId);
  return { ...poison, kind: `${poison.kind}, in a bundle`, messageId: undefined };
}
