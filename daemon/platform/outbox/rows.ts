import { randomUUID } from 'node:crypto';

import type { OutboundMessage } from '../broker/broker.ts';
import { sql, type Db, type Tx } from '../db/db.ts';
import { createRecent } from './recent.ts';

/** A row of the outbox: the messages of one commit. */
export type OutboxRow = {
  readonly id: bigint;
  /** Messages that are kept whole. */
  readonly events: readonly OutboundMessage[] | null;
  /** What the row's service makes the others from; they come before those kept whole. */
  readonly entry_refs: string | null;
  readonly batch: string | null;
  /** How long ago it was written when it was read, by the database's clock. */
  readonly age_ms: number;
};

/** Makes the messages that were appended by these references, in their order. */
export type LoadReferred = (tx: Tx, references: string) => Promise<readonly OutboundMessage[]>;

const maxRecent = 32_768;
const recent = createRecent(maxRecent);

const appendSql = sql(
  'outbox_append',
  `INSERT INTO outbox (events, event_count, entry_refs, batch) VALUES ($1::json, $2, $3, $4::uuid)`,
);

/**
 * Writes one row that carries all messages of this commit. The row's id is given while the caller
 * holds its wallets' locks, so that order by id is a wallet's order.
 */
export async function appendOutbox(tx: Tx, messages: readonly OutboundMessage[]): Promise<void> {
  if (messages.length === 0) return;
  await tx.execute(appendSql, [toJson(messages), messages.length, null, null]);
}

/**
 * As `appendOutbox`, for messages that can be made again from what this commit writes elsewhere:
 * the row has `references` to them only. `make` gives them, in the order of the references.
 */
export async function appendReferred(
  tx: Tx,
  referred: {
    readonly references: string;
    readonly count: number;
    readonly make: () => readonly OutboundMessage[];
  },
  whole: readonly OutboundMessage[],
): Promise<void> {
  const batch = randomUUID();
  const { references, count, make } = referred;
  const events = whole.length > 0 ? toJson(whole) : null;
  await tx.execute(appendSql, [events, count + whole.length, references, batch]);
  recent.keep(batch, count, make);
}

const toJson = (messages: readonly OutboundMessage[]): string =>
  JSON.stringify(
    messages.map(({ messageId, routingKey, body }) => ({ messageId, routingKey, body })),
  );

const readSql = sql(
  'outbox_read',
  // A few large rows or many small ones: whatever begins within the first so many events.
  `SELECT id, events, entry_refs, batch,
     (extract(epoch FROM clock_timestamp() - created_at) * 1000)::float8 AS age_ms
   FROM (
     SELECT *, sum(event_count) OVER (ORDER BY id) - event_count AS before
     FROM (SELECT * FROM outbox WHERE id <> ALL($1::bigint[]) ORDER BY id LIMIT $2) AS head
   ) AS counted
   WHERE before < $3 ORDER BY id`,
);

/** The first rows, save those that are being dealt with. */
export async function readRows(
  tx: Tx,
  inHand: readonly bigint[],
  limits: { readonly rows: number; readonly events: number },
): Promise<OutboxRow[]> {
  return tx.query<OutboxRow>(readSql, [inHand, limits.rows, limits.events]);
}

/** The messages of a row, remembered or made again. */
export async function messagesOf(
  tx: Tx,
  row: OutboxRow,
  load: LoadReferred,
): Promise<readonly OutboundMessage[]> {
  const whole = row.events ?? [];
  if (row.entry_refs === null) return whole;
  const kept = row.batch === null ? undefined : recent.find(row.batch);
  const referred = kept ?? (await load(tx, row.entry_refs));
  return whole.length > 0 ? [...referred, ...whole] : referred;
}

const isHeld = `EXISTS (SELECT FROM relay_leases
  WHERE name = 'outbox' AND holder = $1 AND fencing_token = $2)`;

// Not waited for on the disk: what a crash brings back is sent once more, as after any crash.
const deleteSql = sql(
  'outbox_delete',
  `DELETE FROM outbox USING (SELECT set_config('synchronous_commit', 'off', true) AS level) AS relaxed
   WHERE relaxed.level = 'off' AND id = ANY($3) AND ${isHeld}`,
);

const rewriteSql = sql(
  'outbox_rewrite',
  `UPDATE outbox SET events = $4::json, event_count = $5, entry_refs = NULL, batch = NULL
   WHERE id = $3 AND ${isHeld}`,
);

export type SentRow = {
  readonly row: OutboxRow;
  readonly messages: readonly OutboundMessage[];
  /** By `performance.now()`. */
  readonly readAt: number;
};

/**
 * Deletes the rows that were confirmed whole, and leaves in the others what was not. The number of
 * rows that it dealt with: less than there are if the lease was lost.
 */
export async function completeRows(
  db: Db,
  sent: readonly SentRow[],
  unconfirmed: ReadonlySet<OutboundMessage>,
  lease: readonly [string, bigint],
): Promise<number> {
  const rest = sent.map(({ row, messages }) => ({
    row,
    left: unconfirmed.size === 0 ? [] : messages.filter((message) => unconfirmed.has(message)),
  }));
  const done = rest.filter(({ left }) => left.length === 0).map(({ row }) => row.id);
  const partial = rest.filter(({ left }) => left.length > 0);
  // A single statement is a transaction of its own.
  let acked = done.length > 0 ? await db.read((tx) => tx.execute(deleteSql, [...lease, done])) : 0;
  if (partial.length > 0) {
    acked += await db.tx(async (tx) => {
      let rewritten = 0;
      for (const { row, left } of partial) {
        rewritten += await tx.execute(rewriteSql, [...lease, row.id, toJson(left), left.length]);
      }
      return rewritten;
    });
  }
  for (const { row } of sent) if (row.batch !== null) recent.forget(row.batch);
  return acked;
}
