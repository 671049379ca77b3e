import { eventsExchange, type Consumer, type Handling } from '../platform/broker.ts';
import { buryLetters } from '../platform/dead-letters.ts';
import type { Db } from '../platform/db.ts';
import type { Line } from './domain.ts';
import { readLine } from './messages.ts';
import { insertLines } from './store.ts';

const done: Handling = { kind: 'done' };

/** Turns `transaction_created` into statement lines: many messages, one commit. */
export function createProjection(db: Db, queue: string): Consumer {
  return {
    queue,
    bindings: [{ exchange: eventsExchange, routingKey: 'transaction.created' }],
    maxBatch: 1_000,
    bury: (letters) => buryLetters(db, letters),
    handle: async (messages) => {
      const read = messages.map(readLine);
      const lines = read.filter((item): item is Line => !('kind' in item));
      if (lines.length > 0) await db.tx((tx) => insertLines(tx, lines));
      return read.map((item) => ('kind' in item ? item : done));
    },
  };
}
