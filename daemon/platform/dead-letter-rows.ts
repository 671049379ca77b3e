import { sql } from './db.ts';

export type DeadLetterState = 'pending' | 'replayed' | 'discarded';

/** A dead letter as it is kept: cut to a bound, without secrets. */
export type StoredLetter = {
  readonly id: string;
  readonly queue: string;
  readonly messageId: string | undefined;
  readonly reason: string;
  readonly field: string | undefined;
  readonly body: string;
  readonly isCut: boolean;
  readonly state: DeadLetterState;
  readonly createdAtMs: number;
  readonly decidedAtMs: number | undefined;
  readonly decidedBy: string | undefined;
  /** The producer, as the broker has validated it. */
  readonly userId: string | undefined;
  /** The body is not the one that came: it was cut, or values were taken out. */
  readonly isAltered: boolean;
  /** Names the effect that the last replay set out to have; undefined where there was none. */
  readonly attemptId: string | undefined;
  /** What came of the replay: `ok`, `replayed`, or a reason. */
  readonly result: string | undefined;
};

export type Row = {
  id: string;
  queue: string;
  message_id: string | null;
  reason: string;
  field: string | null;
  body: string;
  is_cut: boolean;
  state: DeadLetterState;
  created_at: number;
  decided_at: number | null;
  decided_by: string | null;
  user_id: string | null;
  is_altered: boolean;
  attempt_id: string | null;
  result: string | null;
};

export const insertSql = sql(
  'dead_insert',
  `INSERT INTO dead_letters (id, queue, message_id, reason, field, body, is_cut, is_altered,
     user_id)
   SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
     $7::boolean[], $8::boolean[], $9::text[])
   ON CONFLICT (id) DO NOTHING`,
);

export const listSql = sql(
  'dead_list',
  `SELECT * FROM dead_letters
   WHERE ($1::text IS NULL OR state = $1) AND ($2 = '' OR reason = $2)
     AND (cardinality($3::uuid[]) = 0 OR id = ANY($3))
     AND (created_at, id) > (timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5::uuid)
   ORDER BY created_at, id LIMIT $6`,
);

export const microsSql = sql(
  'dead_micros',
  `SELECT (extract(epoch FROM created_at) * 1000000)::bigint AS micros FROM dead_letters WHERE id = $1`,
);

export const lockSql = sql(
  'dead_lock',
  'SELECT * FROM dead_letters WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE',
);

export const readSql = sql(
  'dead_read',
  'SELECT * FROM dead_letters WHERE id = ANY($1::uuid[]) ORDER BY id',
);

/** Says what a replay sets out to do, unless another one has said so since the letter was read. */
export const attemptSql = sql(
  'dead_attempt',
  `UPDATE dead_letters d SET attempt_id = a.next FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])
     AS a (id, next, known)
   WHERE d.id = a.id AND d.state = 'pending' AND d.attempt_id IS NOT DISTINCT FROM a.known`,
);

export const decideSql = sql(
  'dead_decide',
  `UPDATE dead_letters d SET state = $2, decided_at = clock_timestamp(), decided_by = $3,
     result = a.result
   FROM unnest($1::uuid[], $4::text[]) AS a (id, result)
   WHERE d.id = a.id RETURNING d.*`,
);

/** A row as the rest of the program knows it. */
export function toLetter(row: Row): StoredLetter {
  return {
    id: row.id,
    queue: row.queue,
    messageId: row.message_id ?? undefined,
    reason: row.reason,
    field: row.field ?? undefined,
    body: row.body,
    isCut: row.is_cut,
    state: row.state,
    createdAtMs: row.created_at,
    decidedAtMs: row.decided_at ?? undefined,
    decidedBy: row.decided_by ?? undefined,
    userId: row.user_id ?? undefined,
    isAltered: row.is_altered,
    attemptId: row.attempt_id ?? undefined,
    result: row.result ?? undefined,
  };
}
