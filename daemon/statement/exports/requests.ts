import {
  commandsExchange,
  eventsExchange,
  type Consumer,
  type Handling,
} from '../../platform/broker/broker.ts';
import { storeLetters } from '../../platform/dead-letters/dead-letters.ts';
import { readRequested, requestedPattern, unknownExport } from '../projection/messages.ts';
import { createAskedExport } from './asked-export.ts';
import type { CreateOptions } from './create.ts';
import { findExisting } from './export-store.ts';

const done: Handling = { kind: 'done' };

export type RequestOptions = CreateOptions & {
  readonly queue: string;
  /** Says that an export waits. */
  readonly wake: () => void;
};

/**
 * `statement_requested`. One of ours names an export: it wakes the worker, and is done once its
 * export is known. One of another program asks for an export, and is done once that is queued. No
 * message waits for a file. One that comes twice, or late, does nothing.
 */
export function createRequestConsumer(options: RequestOptions): Consumer {
  const { db, queue, wake } = options;
  return {
    queue,
    bindings: [
      { exchange: eventsExchange, routingKey: 'statement.requested' },
      { exchange: commandsExchange, routingKey: requestedPattern },
      { exchange: commandsExchange, routingKey: queue },
    ],
    maxBatch: 100,
    storeDeadLetters: (letters) => storeLetters(db, letters),
    handle: async (messages) => {
      const read = messages.map(readRequested);
      const ids = read.flatMap((item) => ('exportId' in item ? [item.exportId] : []));
      const known = ids.length > 0 ? await db.read((tx) => findExisting(tx, ids)) : new Set();
      if (known.size > 0) wake();
      const handlings: Handling[] = [];
      for (const item of read) {
        if ('kind' in item) handlings.push(item);
        else if ('exportId' in item)
          handlings.push(known.has(item.exportId) ? done : unknownExport);
        else handlings.push(await createAskedExport(options, item));
      }
      return handlings;
    },
  };
}
