import { sql, type Tx } from '../../platform/db/db.ts';
import type { AttemptLimit } from '../domain.ts';

/** Something against which attempts count. */
export type Bucket = {
  readonly key: Buffer;
  readonly limit: AttemptLimit;
  /** Where not all attempts count: which do, by their number in the narrowest bucket. */
  counts?(number: number): boolean;
};
export type Taken = { readonly bucket: Bucket; readonly number: number };

/** For times that were written with a clock a moment ahead. */
const slack = `interval '1 second'`;

/**
 * Stored times have an upper bound: a row that blocks for longer than its longest wait, or that is
 * remembered for longer than it may be, was written by a clock that went back since. It counts as
 * expired.
 */
const isForgotten = `(a.expires_at <= clock_timestamp()
  OR a.expires_at > clock_timestamp() + $3::integer * interval '1 millisecond' + ${slack})`;

const takeSql = sql(
  'attempt_take',
  `INSERT INTO attempts AS a (bucket, count, blocked_until, expires_at)
   VALUES ($1, 1, clock_timestamp() + ($2::integer[])[1] * interval '1 millisecond',
     clock_timestamp() + $3::integer * interval '1 millisecond')
   ON CONFLICT (bucket) DO UPDATE SET
     count = CASE WHEN ${isForgotten} THEN 1 ELSE LEAST(a.count + 1, 1000000) END,
     blocked_until = clock_timestamp() + interval '1 millisecond' * ($2::integer[])[
       CASE WHEN ${isForgotten} THEN 1 ELSE LEAST(a.count + 1, cardinality($2::integer[])) END],
     expires_at = CASE WHEN $4::boolean OR ${isForgotten}
       THEN clock_timestamp() + $3::integer * interval '1 millisecond' ELSE a.expires_at END
   WHERE a.blocked_until <= clock_timestamp()
     OR a.blocked_until > clock_timestamp() + $5::integer * interval '1 millisecond' + ${slack}
   RETURNING count`,
);

const longestWaitMs = ({ waitsMs }: AttemptLimit): number => Math.max(...waitsMs);

/**
 * Takes one attempt of a bucket and returns its number, or undefined if no attempt is admitted now.
 * One statement, which checks and counts under the row's lock: of any number of concurrent attempts
 * only as many as are left are admitted.
 */
export async function takeAttempt(
  tx: Tx,
  bucket: Buffer,
  limit: AttemptLimit,
): Promise<number | undefined> {
  const { waitsMs, forgetMs, isConsecutive } = limit;
  const values = [bucket, waitsMs, forgetMs, isConsecutive, longestWaitMs(limit)];
  const [row] = await tx.query<{ count: number }>(takeSql, values);
  return row?.count;
}

const returnSql = sql(
  'attempt_return',
  `UPDATE attempts SET count = count - 1,
     blocked_until = CASE
       WHEN count = $2
         OR COALESCE(($3::integer[])[LEAST(count - 1, cardinality($3::integer[]))], 0) = 0
       THEN clock_timestamp() ELSE blocked_until END
   WHERE bucket = $1 AND count > 0`,
);

/** Gives an attempt back that was the `number`th: as if it had not been made. */
export async function returnAttempt(
  tx: Tx,
  bucket: Buffer,
  number: number,
  { waitsMs }: AttemptLimit,
): Promise<void> {
  await tx.execute(returnSql, [bucket, number, waitsMs]);
}

const clearSql = sql('attempt_clear', 'DELETE FROM attempts WHERE bucket = $1');

export async function clearAttempts(tx: Tx, bucket: Buffer): Promise<void> {
  await tx.execute(clearSql, [bucket]);
}

const stateSql = sql(
  'attempt_state',
  `SELECT bucket,
     CASE WHEN expires_at > clock_timestamp() THEN count ELSE 0 END AS count,
     GREATEST(0, ceil(1000 * extract(epoch FROM
       LEAST(blocked_until, clock_timestamp() + interval '1000000 seconds') - clock_timestamp()
     )))::integer AS wait_ms
   FROM attempts WHERE bucket = ANY($1::bytea[])`,
);

export type BucketState = {
  readonly bucket: Bucket;
  /** Attempts that count now. */
  readonly count: number;
  /** How long the bucket lets none in; 0 if it does now. */
  readonly waitMs: number;
  /** The row blocks for longer than it may: a clock went back. It counts as expired. */
  readonly isInvalid: boolean;
};

/** What stands of each bucket, in the order given. */
export async function findStates(tx: Tx, buckets: readonly Bucket[]): Promise<BucketState[]> {
  type Row = { bucket: Buffer; count: number; wait_ms: number };
  const rows = await tx.query<Row>(stateSql, [buckets.map(({ key }) => key)]);
  return buckets.map((bucket) => {
    const row = rows.find((one) => one.bucket.equals(bucket.key));
    const { count = 0, wait_ms: waitMs = 0 } = row ?? {};
    const isInvalid = waitMs > longestWaitMs(bucket.limit) + 1_000;
    return { bucket, count, waitMs: isInvalid ? 0 : waitMs, isInvalid };
  });
}

const pruneSql = sql(
  'attempt_prune',
  `DELETE FROM attempts WHERE bucket IN (
     SELECT bucket FROM attempts
     -- In a query of its own, since an index cannot follow a clock that goes on.
     WHERE (expires_at < (SELECT clock_timestamp()) AND blocked_until < clock_timestamp())
       OR expires_at > (SELECT clock_timestamp() + interval '1 day')
     LIMIT $1 FOR UPDATE SKIP LOCKED)`,
);

/** Forgets what counts no longer: at most `limit` rows, and how many those were. */
export async function pruneAttempts(tx: Tx, limit: number): Promise<number> {
  return tx.execute(pruneSql, [limit]);
}
