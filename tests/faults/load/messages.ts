import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Random } from '../../fuzz/random.ts';
import { createProducer, type Producer } from '../../support/broker/producer.ts';
import { nameOf, type Op } from '../book.ts';
import { between, chooseOperation, pause, randomOf, type Load } from './load.ts';
import { beginAttempt } from './recording.ts';

export type Messages = {
  /** Until the load is over and all is confirmed. */
  run(): Promise<void>;
  /** Once all faults have ended: sends again what a deleted queue has lost. */
  end(): Promise<void>;
  readonly duplicates: number;
  /** Keys of messages that can never be handled. */
  readonly poison: ReadonlySet<string>;
};

const confirmMs = 10_000;
const lostMs = 3_000;

/** A connection for publishing, made again whenever it is lost. */
function createSender(load: Load) {
  const { broker, vhost } = load.site;
  let producer: Producer | undefined;
  let closed: Promise<void> = Promise.resolve();
  const connected = async (): Promise<Producer | undefined> => {
    while (!load.isHopeless()) {
      if (producer) return producer;
      const made = await createProducer(broker.url(vhost)).catch(() => undefined);
      if (!made) {
        await sleep(200);
        continue;
      }
      producer = made;
      closed = new Promise((resolve) => {
        made.channel.once('close', () => {
          if (producer === made) producer = undefined;
          resolve();
        });
      });
    }
    return undefined;
  };
  /** Again until the broker has confirmed it. */
  const send = async (body: string, messageId: string): Promise<void> => {
    while (!load.isHopeless()) {
      const via = await connected();
      if (!via) return;
      const isConfirmed = await Promise.race([
        via.send(body, { messageId }).then(
          () => true,
          () => false,
        ),
        closed.then(() => false),
        sleep(confirmMs, false),
      ]);
      if (isConfirmed) return;
      await sleep(100);
    }
  };
  return { send, close: async () => producer?.close() };
}

/** Until it is over: does this each time that a queue was deleted. */
async function afterEachDeletion(
  load: Load,
  isOver: () => boolean,
  work: () => Promise<void>,
): Promise<void> {
  let seen = 0;
  while (!load.isHopeless() && !isOver()) {
    const { deletedQueues } = load.tally;
    const isDeleted = deletedQueues > seen;
    seen = deletedQueues;
    if (isDeleted) await work();
    await sleep(200);
  }
}

/** A producer: 10 % of the messages come twice, some at once and some much later. */
export function createMessages(load: Load): Messages {
  const { customers } = load.site;
  const poison = new Set<string>();
  const sender = createSender(load);
  let late: { readonly op: Op; readonly atMs: number }[] = [];
  const sending: Promise<void>[] = [];
  let duplicates = 0;
  let isFinished = false;

  const sendOp = (op: Op): void => {
    beginAttempt(load.record, op, 'producer', undefined);
    sending.push(sender.send(bodyOf(op), op.key));
  };

  const sendNew = (random: Random): void => {
    const userId = random.pick(customers).id;
    const who = { via: 'message', callerClass: 'message', userId } as const;
    const op = load.book.ask(chooseOperation(load, random, who));
    sendOp(op);
    if (!random.chance(10)) return;
    duplicates += 1;
    if (random.chance(50)) sendOp(op);
    else late.push({ op, atMs: performance.now() + between(random, load.timing.lateMs) });
  };
  /** A deleted queue has lost what was in it: what has no answer yet is sent again. */
  const sendOpen = async (): Promise<void> => {
    // What was taken from the queue before has its answer soon.
    await sleep(lostMs);
    const isOpen = ({ via, outcome }: Op): boolean => via === 'message' && outcome === undefined;
    [...load.book.all.values()].filter(isOpen).forEach(sendOp);
  };
  const sendLate = (): void => {
    const now = performance.now();
    const due = late.filter(({ atMs }) => atMs <= now || load.isOver());
    late = late.filter((held) => !due.includes(held));
    for (const { op } of due) sendOp(op);
  };

  return {
    run: async () => {
      const resending = afterEachDeletion(load, () => isFinished, sendOpen);
      for (let step = 0; !load.isOver(); step += 1) {
        const random = randomOf(load, 'producer', step);
        sendLate();
        for (let i = (1 + random.int(12)) * load.intensity; i > 0; i -= 1) sendNew(random);
        if (random.int(40) === 0) {
          const key = randomUUID();
          poison.add(key);
          sending.push(sender.send('{ not JSON', key));
        }
        await pause(load, between(random, [300, 1_000]));
      }
      sendLate();
      isFinished = true;
      await resending;
      await Promise.all(sending);
    },
    end: async () => {
      if (load.tally.deletedQueues > 0) await sendOpen();
      await Promise.all(sending);
      await sender.close();
    },
    get duplicates() {
      return duplicates;
    },
    poison,
  };
}

function bodyOf({ userId, operation, amountMinor, otherUserId, account }: Op): string {
  const amount = `${amountMinor / 100n}.${String(amountMinor % 100n).padStart(2, '0')}`;
  const transaction = {
    ...{ operation: nameOf(operation), amount, currency: 'BRL' },
    ...(otherUserId === undefined ? {} : { toUserId: otherUserId }),
    ...(account === undefined ? {} : { via: account }),
  };
  return JSON.stringify({ pattern: 'transaction_emitted', data: { userId, transaction } });
}
