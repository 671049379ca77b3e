import { eventsExchange, type Consumer, type Handling } from '../platform/broker.ts';
import { buryLetters } from '../platform/dead-letters.ts';
import { readClock, type Db, type Tx } from '../platform/db.ts';
import type { Timing } from '../platform/metrics.ts';
import type { Line } from './domain.ts';
import { readLine } from './messages.ts';
import { insertLines } from './store.ts';

const done: Handling = { kind: 'done' };
const clockEveryMs = 5_000;

/** Turns `transaction_created` into statement lines: many messages, one commit. */
export function createProjection(db: Db, queue: string, lag?: Timing): Consumer {
  const clock = createClock();
  return {
    queue,
    bindings: [{ exchange: eventsExchange, routingKey: 'transaction.created' }],
    maxBatch: 2_000,
    bury: (letters) => buryLetters(db, letters),
    handle: async (messages) => {
      const read = messages.map(readLine);
      const lines = read.filter((item): item is Line => !('kind' in item));
      if (lines.length > 0) {
        await db.tx(async (tx) => {
          await clock.set(tx);
          await insertLines(tx, lines);
        });
        const oldestMs = lines.reduce((ms, line) => Math.min(ms, line.occurredAtMs), Infinity);
        lag?.observe((clock.nowMs() - oldestMs) / 1_000);
      }
      return read.map((item) => ('kind' in item ? item : done));
    },
  };
}

/** The database's clock, asked now and then: a question for each batch would be one too many. */
function createClock() {
  let setAt = -Infinity;
  let aheadMs = 0;
  return {
    set: async (tx: Tx): Promise<void> => {
      if (performance.now() - setAt < clockEveryMs) return;
      const databaseMs = await readClock(tx);
      setAt = performance.now();
      aheadMs = databaseMs - setAt;
    },
    nowMs: (): number => performance.now() + aheadMs,
  };
}
