import { randomUUID } from 'node:crypto';

import type { Audience, OutboundMessage } from '../broker/broker.ts';
import { sql, type Db, type Tx } from '../db/db.ts';
import { createRecent } from './recent.ts';

/** A row of the outbox: the messages of one commit. */
type OutboxRow = {
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

/** The rows that our own queues need, or those that only listeners need. */
const readSqlWhere = (name: string, audience: string) =>
  sql(
    name,
    // A few large rows or many small ones: whatever begins within the first so many events.
    `SELECT id, events, entry_refs, batch,
       (extract(epoch FROM clock_timestamp() - created_at) * 1000)::float8 AS age_ms
     FROM (
       SELECT *, sum(event_count) OVER (ORDER BY id) - event_count AS before
       FROM (
         SELECT * FROM outbox WHERE ${audience} AND id <> ALL($1::bigint[]) ORDER BY id LIMIT $2
       ) AS head
     ) AS counted
     WHERE before < $3 ORDER BY id`,
  );
const readSqls: Readonly<Record<Audience, ReturnType<typeof sql>>> = {
  own: readSqlWhere('outbox_read', 'NOT own_sent'),
  listeners: readSqlWhere('outbox_read_listeners', 'own_sent'),
};

const anyForListenersSql = sql(
  'outbox_any_for_listeners',
  'SELECT EXISTS (SELECT FROM outbox WHERE own_sent) AS has_rows',
);

/** Whether some rows are left to listeners. */
export async function hasListenerRows(db: Db): Promise<boolean> {
  type Row = { has_rows: boolean };
  const [row] = await db.read((tx) => tx.query<Row>(anyForListenersSql));
  return row?.has_rows ?? false;
}

/** Rows and messages of one round, about. */
const roundLimits = { rows: 64, events: 4_000 };
export const maxRoundEvents = roundLimits.events;

/** The first rows that are to be sent to this audience, save those `inHand`, with messages. */
export function readRound(
  db: Db,
  audience: Audience,
  inHand: readonly bigint[],
  load: LoadReferred,
): Promise<SentRow[]> {
  return db.read(async (tx) => {
    const { rows: maxRows, events: maxEvents } = roundLimits;
    const rows = await tx.query<OutboxRow>(readSqls[audience], [inHand, maxRows, maxEvents]);
    const readAt = performance.now();
    const read: SentRow[] = [];
    for (const row of rows) read.push({ row, messages: await messagesOf(tx, row, load), readAt });
    return read;
  });
}

/** The messages of a row, remembered or made again. */
async function messagesOf(
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

// Not waited for either: our own consumers recognise what they get twice.
const markSql = sql(
  'outbox_mark',
  `UPDATE outbox SET own_sent = true
   FROM (SELECT set_config('synchronous_commit', 'off', true) AS level) AS relaxed
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

/** Which messages were not confirmed, and the lease under which they were sent. */
export type Confirmation = {
  readonly unconfirmed: ReadonlySet<OutboundMessage>;
  readonly lease: readonly [holder: string, token: bigint];
};

const listLeft = ({ messages }: SentRow, { unconfirmed }: Confirmation): OutboundMessage[] =>
  unconfirmed.size === 0 ? [] : messages.filter((message) => unconfirmed.has(message));

/**
 * Deletes the rows that were confirmed whole, and leaves in the others what was not. False if the
 * lease was lost.
 */
export async function completeRows(
  db: Db,
  sent: readonly SentRow[],
  confirmation: Confirmation,
): Promise<boolean> {
  const { lease } = confirmation;
  const rest = sent.map((each) => ({ row: each.row, left: listLeft(each, confirmation) }));
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
  return acked === sent.length;
}

/**
 * Leaves the rows that our own queues have confirmed whole to the listeners; the others stay as
 * they are. False if the lease was lost.
 */
export async function leaveToListeners(
  db: Db,
  sent: readonly SentRow[],
  confirmation: Confirmation,
): Promise<boolean> {
  const ids = sent
    .filter((each) => listLeft(each, confirmation).length === 0)
    .map(({ row }) => row.id);
  if (ids.length === 0) return true;
  const marked = await db.read((tx) => tx.execute(markSql, [...confirmation.lease, ids]));
  return marked === ids.length;
}
