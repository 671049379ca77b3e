import { eventsExchange, type Consumer, type Handling } from '../platform/broker.ts';
import { buryLetters } from '../platform/dead-letters.ts';
import { readClock, sqlStateOf, type Db, type Tx } from '../platform/db.ts';
import type { Timing } from '../platform/metrics.ts';
import type { Line } from './domain.ts';
import type { Gaps } from './gaps.ts';
import { readLine } from './messages.ts';
import { appendLines, insertLines } from './store.ts';

const done: Handling = { kind: 'done' };
const uniqueViolation = '23505';
const clockEveryMs = 5_000;
/** Repeats come in a row, after a loss: so many batches are then looked up line by line. */
const carefulBatches = 16;

/** Turns `transaction_created` into statement lines: many messages, one commit. */
export function createProjection(db: Db, queue: string, lag?: Timing, gaps?: Gaps): Consumer {
  const clock = createClock();
  const insert = createInsert(db);
  return {
    queue,
    bindings: [{ exchange: eventsExchange, routingKey: 'transaction.created' }],
    maxBatch: 2_000,
    bury: (letters) => buryLetters(db, letters),
    handle: async (messages) => {
      const read = messages.map(readLine);
      const lines = read.filter((item): item is Line => !('kind' in item));
      if (lines.length > 0) {
        await insert(lines, clock.set);
        gaps?.note(lines);
        const oldestMs = lines.reduce((ms, line) => Math.min(ms, line.occurredAtMs), Infinity);
        lag?.observe((clock.nowMs() - oldestMs) / 1_000);
      }
      return read.map((item) => ('kind' in item ? item : done));
    },
  };
}

/**
 * Adds lines, each once. Nearly all are new, so they are first added as if all were; where one is
 * there already, all are added again with a look at each.
 */
function createInsert(db: Db) {
  let careful = 0;
  return async (lines: readonly Line[], before: (tx: Tx) => Promise<void>): Promise<void> => {
    const add = (insertAll: typeof insertLines): Promise<void> =>
      db.tx(async (tx) => {
        await before(tx);
        await insertAll(tx, lines);
      });
    if (careful > 0) {
      careful -= 1;
      return add(insertLines);
    }
    return add(appendLines).catch((err: unknown) => {
      if (sqlStateOf(err) !== uniqueViolation) throw err;
      careful = carefulBatches;
      return add(insertLines);
    });
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
