import { inflateRawSync } from 'node:zlib';

import { sql } from '../db/db.ts';

export type DeadLetterState = 'pending' | 'replayed' | 'discarded';

/** A dead letter as it is kept. */
export type StoredLetter = {
  readonly id: string;
  readonly queue: string;
  readonly messageId: string | undefined;
  readonly reason: string;
  readonly field: string | undefined;
  /** As it came, secrets and all. */
  readonly body: string;
  /** The same as users may see it. */
  readonly shown: string;
  readonly isCut: boolean;
  readonly state: DeadLetterState;
  readonly createdAtMs: number;
  readonly decidedAtMs: number | undefined;
  readonly decidedBy: string | undefined;
  /** The producer, as the broker has validated it. */
  readonly userId: string | undefined;
  /** `body` is not the one that came: it was cut, or is no UTF-8. */
  readonly isAltered: boolean;
  /** Names the effect that the last replay set out to have; undefined where there was none. */
  readonly attemptId: string | undefined;
  /** What came of the replay: `ok`, `replayed`, or a reason. */
  readonly result: string | undefined;
  /** How often the message was dead-lettered, and when last. */
  readonly receivedCount: number;
  readonly receivedAtMs: number;
  /** A replay has claimed it; false where it was not asked for. */
  readonly isClaimed: boolean;
};

export type Row = {
  id: string;
  queue: string;
  message_id: string | null;
  reason: string;
  field: string | null;
  /** As it is shown. */
  body: string;
  /** The bytes as they came, compressed; null where they are those of `body`, or are not read. */
  raw: Buffer | null;
  is_truncated: boolean;
  state: DeadLetterState;
  created_at: number;
  decided_at: number | null;
  decided_by: string | null;
  user_id: string | null;
  is_altered: boolean;
  attempt_id: string | null;
  result: string | null;
  received_count: number;
  received_at: number;
  is_claimed?: boolean;
};

/**
 * Keeps letters. One that is there already was sent again, unless it is the same delivery: it is
 * counted, and one that was decided on is pending again. Ids must differ within one call.
 */
export const insertSql = sql(
  'dead_insert',
  `INSERT INTO dead_letters AS d (id, queue, message_id, reason, field, body, raw, is_truncated,
     is_altered, user_id, received_count, delivery_id)
   SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
     $7::bytea[], $8::boolean[], $9::boolean[], $10::text[], $11::integer[], $12::uuid[]) AS l (id)
   ORDER BY l.id
   ON CONFLICT (id) DO UPDATE SET received_count = d.received_count + excluded.received_count,
     received_at = clock_timestamp(), delivery_id = excluded.delivery_id, state = 'pending',
     reason = excluded.reason, field = excluded.field, user_id = excluded.user_id,
     decided_at = NULL, decided_by = NULL, result = NULL
   WHERE d.delivery_id IS DISTINCT FROM excluded.delivery_id`,
);

const columns = `id, queue, message_id, reason, field, is_truncated, state, created_at, decided_at,
  decided_by, user_id, is_altered, attempt_id, result, received_count, received_at`;

const afterCursor = `(created_at, id) >
  (timestamptz 'epoch' + $3::bigint * interval '1 microsecond', $4::uuid)`;
const inOrder = 'ORDER BY created_at, id LIMIT $5';
const firstOf = (condition: string): string =>
  `SELECT * FROM dead_letters WHERE ${condition} AND ${afterCursor} ${inOrder}`;
/** The indexes begin with the state: what is of any is read from each. */
const firstOfAny = (condition: string): string => {
  const parts = ['pending', 'replayed', 'discarded'].map(
    (state) => `(${firstOf(`state = '${state}' AND ${condition}`)})`,
  );
  return `SELECT * FROM (${parts.join(' UNION ALL ')}) of_any ${inOrder}`;
};

/**
 * A page of letters; $1 and $2 are its filter. Sizes are summed up before bodies are read: what a
 * page has no room for has no body here, and is the first of the next one.
 */
const toPage = (rows: string): string => `
  SELECT ${columns}, CASE WHEN fits THEN body ELSE '' END AS body, NULL AS raw, fits,
    (extract(epoch FROM created_at) * 1000000)::bigint AS micros
  FROM (
    SELECT *, row_number() OVER place = 1
      OR sum(octet_length(body)) OVER place <= $6 AS fits
    FROM (${rows}) found
    WINDOW place AS (ORDER BY created_at, id ROWS UNBOUNDED PRECEDING)) sized
  ORDER BY created_at, id`;

/** By which of state and reason are given. */
export const listSqls = {
  all: sql('dead_list', toPage(firstOfAny("$1 = '' AND $2 = ''"))),
  state: sql('dead_list_state', toPage(firstOf("state = $1 AND $2 = ''"))),
  reason: sql('dead_list_reason', toPage(firstOfAny("$1 = '' AND reason = $2"))),
  both: sql('dead_list_both', toPage(firstOf('state = $1 AND reason = $2'))),
};
export const listNamedSql = sql(
  'dead_list_named',
  toPage(firstOf("id = ANY($7::uuid[]) AND ($1 = '' OR state = $1) AND ($2 = '' OR reason = $2)")),
);

const leaseMs = 60_000;
const isClaimed = `coalesce(claimed_until > clock_timestamp()
  AND claimed_until <= clock_timestamp() + interval '${leaseMs} ms', false)`;

export const lockSql = sql(
  'dead_lock',
  `SELECT *, ${isClaimed} AS is_claimed FROM dead_letters
   WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE`,
);

export const readSql = sql(
  'dead_read',
  'SELECT * FROM dead_letters WHERE id = ANY($1::uuid[]) ORDER BY id',
);

/** Claims letters, and says what each is to do. */
export const claimSql = sql(
  'dead_claim',
  `UPDATE dead_letters SET attempt_id = ($2::uuid[])[array_position($1::uuid[], id)], claim_id = $3,
     claimed_until = clock_timestamp() + interval '${leaseMs} ms'
   WHERE id = ANY($1::uuid[])`,
);

export const releaseSql = sql(
  'dead_release',
  `UPDATE dead_letters SET claim_id = NULL, claimed_until = NULL
   WHERE id = ANY($1::uuid[]) AND claim_id = $2`,
);

export const decideSql = sql(
  'dead_decide',
  `UPDATE dead_letters SET state = $2, decided_at = clock_timestamp(), decided_by = $3,
     result = ($4::text[])[array_position($1::uuid[], id)], claim_id = NULL, claimed_until = NULL
   WHERE id = ANY($1::uuid[]) RETURNING *`,
);

/** A row as the rest of the program knows it. */
export function toLetter(row: Row): StoredLetter {
  return {
    id: row.id,
    queue: row.queue,
    messageId: row.message_id ?? undefined,
    reason: row.reason,
    field: row.field ?? undefined,
    body: row.raw ? inflateRawSync(row.raw).toString('utf8') : row.body,
    shown: row.body,
    isCut: row.is_truncated,
    state: row.state,
    createdAtMs: row.created_at,
    decidedAtMs: row.decided_at ?? undefined,
    decidedBy: row.decided_by ?? undefined,
    userId: row.user_id ?? undefined,
    isAltered: row.is_altered || row.is_truncated,
    attemptId: row.attempt_id ?? undefined,
    result: row.result ?? undefined,
    receivedCount: row.received_count,
    receivedAtMs: row.received_at,
    isClaimed: row.is_claimed ?? false,
  };
}
