import type { OutboundMessage } from '../broker/broker.ts';

/** Messages of the newest commits, so that the relay need not read them back. */
export type Recent = {
  /** Kept if there is room. The commit may still fail: its batch is then never requested. */
  keep(batch: string, count: number, make: () => readonly OutboundMessage[]): void;
  find(batch: string): readonly OutboundMessage[] | undefined;
  forget(batch: string): void;
};

/** Past this age a batch was rolled back, or another daemon sends it. */
const maxAgeMs = 30_000;

/**
 * At most so many messages. What is kept is never put out by what comes later, since the oldest is
 * needed first; only what has grown too old makes room.
 */
export function createRecent(maxMessages: number): Recent {
  type Kept = { count: number; keptAt: number; make: () => readonly OutboundMessage[] };
  const batches = new Map<string, Kept>();
  let total = 0;
  const forget = (batch: string): void => {
    total -= batches.get(batch)?.count ?? 0;
    batches.delete(batch);
  };
  return {
    keep: (batch, count, make) => {
      const keptAt = performance.now();
      for (const [oldest, kept] of batches) {
        if (keptAt - kept.keptAt < maxAgeMs) break;
        forget(oldest);
      }
      if (total + count > maxMessages) return;
      total += count;
      batches.set(batch, { count, keptAt, make });
    },
    find: (batch) => batches.get(batch)?.make(),
    forget,
  };
}
