import { randomUUID } from 'node:crypto';

import type { Broker, OutboundMessage } from './broker.ts';
import { sql, type Db, type Tx } from './db.ts';
import type { Log } from './log.ts';

export type Relay = {
  /** Says that a commit has left something to send; polling would find it a little later. */
  wake(): void;
  start(): void;
  /** Ends after the round in hand. */
  stop(): Promise<void>;
};

const pollMs = 200;
const maxRowsPerRound = 32;
const maxBackoffMs = 5_000;
const stopTimeoutMs = 2_000;
/** The database's clock decides; another daemon takes over at most this long after the last renewal. */
const leaseMs = 4_000;
const renewMs = leaseMs / 4;

const appendSql = sql(
  'outbox_append',
  'INSERT INTO outbox (events, event_count) VALUES ($1::json, $2)',
);

/**
 * Writes one row that carries all messages of this commit. The row's id is given while the caller
 * holds its wallets' locks, so that order by id is a wallet's order.
 */
export async function appendOutbox(tx: Tx, messages: readonly OutboundMessage[]): Promise<void> {
  if (messages.length === 0) return;
  await tx.execute(appendSql, [JSON.stringify(messages), messages.length]);
}

const leaseSql = sql(
  'outbox_lease',
  `INSERT INTO relay_leases AS l (name, holder, token, expires_at)
   VALUES ('outbox', $1, 1, clock_timestamp() + $2 * interval '1 millisecond')
   ON CONFLICT (name) DO UPDATE
   SET holder = $1,
       token = CASE WHEN l.holder = $1 THEN l.token ELSE l.token + 1 END,
       expires_at = excluded.expires_at
   WHERE l.holder = $1 OR l.expires_at < clock_timestamp()
   RETURNING token`,
);

const giveUpSql = sql(
  'outbox_lease_end',
  `UPDATE relay_leases SET expires_at = '-infinity' WHERE name = 'outbox' AND holder = $1`,
);

const readSql = sql('outbox_read', 'SELECT id, events FROM outbox ORDER BY id LIMIT $1');

const isHeld = `EXISTS (SELECT FROM relay_leases WHERE name = 'outbox' AND holder = $1 AND token = $2)`;

const deleteSql = sql('outbox_delete', `DELETE FROM outbox WHERE id = ANY($3) AND ${isHeld}`);

const rewriteSql = sql(
  'outbox_rewrite',
  `UPDATE outbox SET events = $4::json, event_count = $5 WHERE id = $3 AND ${isHeld}`,
);

type OutboxRow = { readonly id: bigint; readonly events: readonly OutboundMessage[] };

/**
 * Sends what the outbox holds, in order of id: read, publish, wait for the confirms, delete. No
 * database transaction is open while it publishes. One relay per database is active, by lease;
 * deletions carry the lease's token, so that one which was overtaken deletes nothing.
 */
export function createRelay(options: {
  readonly db: Db;
  readonly broker: Pick<Broker, 'publish'>;
  readonly log: Log;
}): Relay {
  const { db, broker, log } = options;
  const lease = createLease(db);
  const nap = createNap();
  // After a failure no commit cuts the pause short: under load that would be no pause at all.
  const pause = createNap();
  let isStopped = false;
  const isRunning = (): boolean => !isStopped;
  let running: Promise<void> | undefined;

  const sendRound = async (): Promise<boolean> => {
    const token = await lease.hold();
    if (token === undefined) return false;
    const rows = await db.read((tx) => tx.query<OutboxRow>(readSql, [maxRowsPerRound]));
    if (rows.length === 0) return false;
    const renewal = setInterval(() => void lease.hold().catch(() => undefined), renewMs);
    try {
      const left = new Set(
        (await broker.publish(rows.flatMap((row) => row.events))).map((m) => m.messageId),
      );
      const settled = await db.tx((tx) => settle(tx, rows, left, [lease.holder, token]));
      if (settled < rows.length) {
        lease.forget();
        throw new Error('another daemon has taken the outbox over');
      }
      if (left.size > 0) throw new Error(`${left.size} messages were not confirmed`);
    } finally {
      clearInterval(renewal);
    }
    return true;
  };

  const run = async (): Promise<void> => {
    let failures = 0;
    while (isRunning()) {
      nap.reset();
      try {
        if (!(await sendRound())) await nap.take(pollMs);
        failures = 0;
      } catch (err) {
        failures += 1;
        log.warn({ err, failures }, 'outbox not sent; it is kept and tried again');
        if (isRunning()) await pause.take(Math.min(maxBackoffMs, 100 * 2 ** failures));
      }
    }
    await lease.release();
  };

  return {
    wake: nap.wake,
    start: () => {
      running ??= run();
    },
    stop: async () => {
      isStopped = true;
      nap.wake();
      pause.wake();
      // A broker that confirms nothing is not waited for: the rows stay for the next start.
      const late = new Promise((resolve) => setTimeout(resolve, stopTimeoutMs).unref());
      await Promise.race([running, late]);
    },
  };
}

/** The right to send, by the database's clock; renewed a few times within its life. */
function createLease(db: Db) {
  const holder = randomUUID();
  let held: { readonly token: bigint; readonly renewedAt: number } | undefined;
  return {
    holder,
    hold: async (): Promise<bigint | undefined> => {
      const startedAt = performance.now();
      if (held && startedAt - held.renewedAt < renewMs) return held.token;
      const rows = await db.tx((tx) => tx.query<{ token: bigint }>(leaseSql, [holder, leaseMs]));
      const token = rows[0]?.token;
      held = token === undefined ? undefined : { token, renewedAt: startedAt };
      return token;
    },
    forget: (): void => {
      held = undefined;
    },
    release: async (): Promise<void> => {
      await db.tx((tx) => tx.execute(giveUpSql, [holder])).catch(() => undefined);
    },
  };
}

/** A pause that can be cut short; a wake during the work before it counts. */
function createNap() {
  let isWoken = false;
  let rouse: (() => void) | undefined;
  return {
    reset: () => {
      isWoken = false;
    },
    wake: () => {
      isWoken = true;
      rouse?.();
    },
    take: (ms: number): Promise<void> =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        rouse = () => {
          clearTimeout(timer);
          resolve();
        };
        if (isWoken) rouse();
      }),
  };
}

/**
 * Deletes the rows that were confirmed whole, and leaves in the others what was not. The number of
 * rows that it dealt with: less than there are if the lease was lost.
 */
async function settle(
  tx: Tx,
  rows: readonly OutboxRow[],
  unconfirmed: ReadonlySet<string>,
  lease: readonly [string, bigint],
): Promise<number> {
  const rest = rows.map((row) => ({
    id: row.id,
    events: row.events.filter((event) => unconfirmed.has(event.messageId)),
  }));
  const done = rest.filter((row) => row.events.length === 0).map((row) => row.id);
  let settled = done.length > 0 ? await tx.execute(deleteSql, [...lease, done]) : 0;
  for (const { id, events } of rest.filter((row) => row.events.length > 0)) {
    const values = [...lease, id, JSON.stringify(events), events.length];
    settled += await tx.execute(rewriteSql, values);
  }
  return settled;
}
