import { sql, type Db, type Tx } from '../db/db.ts';
import type { Log } from '../log.ts';

/** How much waits to be sent, and since when the oldest does. */
export type OutboxDepth = { readonly events: number; readonly lagMs: number };

export type OutboxGauge = {
  /** As last looked at, at most a second ago while the database answers. */
  read(): OutboxDepth;
  start(): void;
  stop(): void;
};

const lookEveryMs = 1_000;

const depthSql = sql(
  'outbox_depth',
  `SELECT coalesce(sum(event_count), 0)::bigint AS events,
     coalesce(extract(epoch FROM clock_timestamp() - min(created_at)) * 1000, 0)::bigint AS lag_ms
   FROM outbox`,
);

/** How much waits in the outbox now. */
export async function readOutboxDepth(tx: Tx): Promise<OutboxDepth> {
  const [row] = await tx.query<{ events: bigint; lag_ms: bigint }>(depthSql);
  return { events: Number(row?.events ?? 0n), lagMs: Number(row?.lag_ms ?? 0n) };
}

/** Watches the outbox, for the metrics and for the cap on what may pile up. */
export function createOutboxGauge(db: Db, log: Log): OutboxGauge {
  let depth: OutboxDepth = { events: 0, lagMs: 0 };
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const look = async (): Promise<void> => {
    try {
      depth = await db.read(readOutboxDepth);
    } catch (err) {
      log.debug({ err }, 'the outbox could not be measured');
    }
    if (!isStopped) timer = setTimeout(() => void look(), lookEveryMs);
  };
  return {
    read: () => depth,
    start: () => void look(),
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
