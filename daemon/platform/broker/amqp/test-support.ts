import type { ConfirmChannel, ConsumeMessage } from 'amqplib';

import { createLog } from '../../log.ts';
import { createPump, type Pump, type Work } from './pump.ts';

type Ack = { readonly name: string; readonly isUpTo: boolean };

/** What a pump did, in order, and what it is to find. */
export type PumpWorld = ReturnType<typeof createPumpWorld>;

const nameOf = ({ content }: ConsumeMessage): string => content.toString();

export function createPumpWorld() {
  const acks: Ack[] = [];
  /** Batches that were begun and ended, and acknowledgements. */
  const events: string[] = [];
  const notes: string[] = [];
  /** How many messages were offered to be given back to the queue. */
  const releases: number[] = [];
  const state = { isWanted: true, isChannelLost: false, tag: 0 };
  const channel = {
    ack: (message: ConsumeMessage, isUpTo = false) => {
      if (state.isChannelLost) throw new Error('the channel is closed');
      acks.push({ name: nameOf(message), isUpTo });
      events.push(`ack ${nameOf(message)}`);
    },
  } as unknown as ConfirmChannel;
  const nothing = (): void => undefined;

  return {
    ...{ acks, events, notes, releases, state },
    listBegun: () => events.filter((event) => event.startsWith('begin')),
    messageOf: (name: string): ConsumeMessage =>
      ({
        content: Buffer.from(name),
        fields: { deliveryTag: (state.tag += 1) },
      }) as ConsumeMessage,
    /** A pump whose batches become what `work` says: the names of those that are held. */
    create: (
      work: (names: readonly string[]) => Promise<readonly string[]>,
      messages = 10,
    ): Pump => {
      const begin: Work = async (batch) => {
        const names = batch.map(nameOf);
        events.push(`begin ${names.join()}`);
        const held = await work(names);
        events.push(`end ${names.join()}`);
        return batch.filter((message) => held.includes(nameOf(message)));
      };
      return createPump(channel, begin, {
        isWanted: () => state.isWanted,
        log: createLog('silent'),
        progress: {
          ...{ begin: nothing, open: nothing, close: nothing, stop: nothing },
          hold: (reason) => void notes.push(`hold: ${reason}`),
          finish: (left) => void notes.push(`finish: ${left} left`),
        },
        window: {
          note: (done) => void notes.push(`done: ${done.map(nameOf).join()}`),
          release: (takeAll) => {
            const all = takeAll();
            releases.push(all.length);
            return Promise.resolve(all.slice(0, 16));
          },
        },
        limits: { messages, bytes: 1_000 },
      });
    },
  };
}
