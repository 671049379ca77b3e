import { setTimeout as sleep } from 'node:timers/promises';

import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';

import { closeConnection, unlessLost } from '../support/broker/connection.ts';
import type { Step } from './plan.ts';

export type Published = {
  /** How often the connection was lost. */
  readonly reconnects: number;
  /**
   * Places of messages that the broker refused, and the last place that was sent by then: the queue
   * may have the later ones before them.
   */
  readonly refused: readonly (readonly [number, number])[];
};

type Options = {
  /** Resolves once the message at this place may be sent. */
  readonly waitFor: (place: number) => Promise<void>;
  /** So many messages are confirmed. */
  readonly onConfirmed: (count: number) => void;
};

const maxInFlight = 256;

/**
 * Publishes all, with confirms and `mandatory`, over one connection at a time. After a loss it
 * begins again at the first message that is not confirmed, so that the order stays.
 */
export async function publishInOrder(
  url: string,
  steps: readonly Step[],
  options: Options,
): Promise<Published> {
  const confirmed = new Uint8Array(steps.length);
  const refused: (readonly [number, number])[] = [];
  let count = 0;
  let sessions = 0;
  while (count < steps.length) {
    const connection = await connect(url, { timeout: 5_000 }).catch(() => undefined);
    if (!connection) {
      await sleep(200);
      continue;
    }
    sessions += 1;
    const session = await unlessLost(connection, openSession(connection)).catch(() => undefined);
    const note = (place: number): void => {
      if (confirmed[place]) return;
      confirmed[place] = 1;
      count += 1;
      options.onConfirmed(count);
    };
    if (session) await sendRest(session, steps, { ...options, confirmed, note, refused });
    await closeConnection(connection);
  }
  return { reconnects: sessions - 1, refused };
}

type Session = {
  readonly channel: ConfirmChannel;
  readonly closed: Promise<'closed'>;
  isClosed: boolean;
  readonly returned: Set<string>;
};

async function openSession(connection: ChannelModel): Promise<Session> {
  connection.on('error', () => undefined);
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => undefined);
  const returned = new Set<string>();
  channel.on('return', ({ properties }) => returned.add(String(properties.messageId)));
  const closed = new Promise<'closed'>((resolve) => {
    channel.once('close', () => resolve('closed'));
    connection.once('close', () => resolve('closed'));
  });
  const session: Session = { channel, closed, isClosed: false, returned };
  void closed.then(() => (session.isClosed = true));
  return session;
}

type Sending = Options & {
  readonly confirmed: Uint8Array;
  readonly note: (place: number) => void;
  readonly refused: (readonly [number, number])[];
};

/** Ends once all is confirmed, the connection is lost, or a message was refused. */
async function sendRest(
  session: Session,
  steps: readonly Step[],
  { confirmed, note, refused, waitFor }: Sending,
): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  let isRefused = false;
  let last = 0;
  const send = (step: Step, place: number): Promise<void> =>
    publish(session, step).then((answer) => {
      if (answer === 'confirmed') note(place);
      else if (answer === 'refused') {
        isRefused = true;
        refused.push([place, last]);
      }
    });
  const isOver = (): boolean => session.isClosed || isRefused;
  let isFirst = true;
  for (const [place, step] of steps.entries()) {
    if (confirmed[place]) continue;
    await Promise.race([waitFor(place), session.closed]);
    if (isOver()) break;
    last = place;
    const sent = send(step, place);
    inFlight.add(sent);
    void sent.then(() => inFlight.delete(sent));
    // A queue that is not there yet after a restart refuses the first one, and no later one.
    if (isFirst || inFlight.size >= maxInFlight) {
      await Promise.race([isFirst ? sent : Promise.race(inFlight), session.closed]);
    }
    isFirst = false;
    if (isOver()) break;
  }
  await Promise.race([Promise.all(inFlight), session.closed]);
}

function publish(session: Session, step: Step): Promise<'confirmed' | 'refused' | 'lost'> {
  const { channel, returned } = session;
  const [queue, messageId, body] =
    step.kind === 'poison'
      ? [step.poison.queue, step.poison.messageId, step.poison.body]
      : [undefined, step.request.key, step.body];
  return new Promise((resolve) => {
    const id = messageId === undefined ? {} : { messageId };
    const options = { persistent: true, mandatory: true, ...id };
    const exchange = queue === undefined ? 'wallet.commands' : '';
    const onAnswer = (err: unknown): void => {
      // An unroutable message is confirmed too: its return comes before.
      const isReturned = returned.delete(String(messageId));
      if (err instanceof Error && err.message === 'channel closed') resolve('lost');
      else resolve(err || isReturned ? 'refused' : 'confirmed');
    };
    try {
      channel.publish(exchange, queue ?? 'transaction_emitted', body, options, onAnswer);
    } catch {
      resolve('lost');
    }
  });
}
