import { eventsExchange, type Consumer, type Handling } from '../../platform/broker/broker.ts';
import { storeLetters } from '../../platform/dead-letters/dead-letters.ts';
import type { Db } from '../../platform/db/db.ts';
import { readRequested, unknownExport } from '../projection/messages.ts';
import { findExisting } from './export-store.ts';

const done: Handling = { kind: 'done' };

/**
 * `statement_requested` wakes the worker, and is done once its export is known: no message waits
 * for a file. One that comes twice, or late, does nothing.
 */
export function createRequestConsumer(db: Db, queue: string, wake: () => void): Consumer {
  return {
    queue,
    bindings: [{ exchange: eventsExchange, routingKey: 'statement.requested' }],
    maxBatch: 100,
    storeDeadLetters: (letters) => storeLetters(db, letters),
    handle: async (messages) => {
      const read = messages.map(readRequested);
      const ids = read.flatMap((item) => ('kind' in item ? [] : [item.exportId]));
      const known = ids.length > 0 ? await db.read((tx) => findExisting(tx, ids)) : new Set();
      if (known.size > 0) wake();
      return read.map((item) => {
        if ('kind' in item) return item;
        return known.has(item.exportId) ? done : unknownExport;
      });
    },
  };
}
