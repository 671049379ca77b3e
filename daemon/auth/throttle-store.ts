import { sql, type Tx } from '../platform/db.ts';
import type { AttemptLimit } from './domain.ts';

const takeSql = sql(
  'attempt_take',
  `INSERT INTO attempts AS a (bucket, count, blocked_until, forgotten_at)
   VALUES ($1, 1, clock_timestamp() + ($2::integer[])[1] * interval '1 millisecond',
     clock_timestamp() + $3::integer * interval '1 millisecond')
   ON CONFLICT (bucket) DO UPDATE SET
     count = CASE WHEN a.forgotten_at <= clock_timestamp() THEN 1 ELSE a.count + 1 END,
     blocked_until = clock_timestamp() + interval '1 millisecond' * ($2::integer[])[
       CASE WHEN a.forgotten_at <= clock_timestamp() THEN 1
         ELSE LEAST(a.count + 1, cardinality($2::integer[])) END],
     forgotten_at = CASE WHEN $4::boolean OR a.forgotten_at <= clock_timestamp()
       THEN EXCLUDED.forgotten_at ELSE a.forgotten_at END
   WHERE a.blocked_until <= clock_timestamp()
   RETURNING count`,
);

/**
 * Takes one attempt of a bucket and gives its number, or undefined if nobody is let in now. One
 * statement, which looks and counts under the row's lock: of any number at once only so many get in.
 */
export async function takeAttempt(
  tx: Tx,
  bucket: Buffer,
  { waitsMs, forgetMs, isConsecutive }: AttemptLimit,
): Promise<number | undefined> {
  const values = [bucket, waitsMs, forgetMs, isConsecutive];
  const [row] = await tx.query<{ count: number }>(takeSql, values);
  return row?.count;
}

const returnSql = sql(
  'attempt_return',
  `UPDATE attempts SET count = count - 1,
     blocked_until = CASE
       WHEN count = $2 OR COALESCE(($3::integer[])[LEAST(count - 1, cardinality($3::integer[]))], 0) = 0
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

const waitSql = sql(
  'attempt_wait',
  `SELECT GREATEST(0, COALESCE(max(ceil(
     extract(epoch FROM blocked_until - clock_timestamp()))), 0))::integer AS seconds
   FROM attempts WHERE bucket = ANY($1::bytea[])`,
);

/** Seconds until all of these let somebody in again; 0 if they do now. */
export async function findWait(tx: Tx, buckets: readonly Buffer[]): Promise<number> {
  const [row] = await tx.query<{ seconds: number }>(waitSql, [buckets]);
  return row?.seconds ?? 0;
}

const pruneSql = sql(
  'attempt_prune',
  `DELETE FROM attempts WHERE bucket IN (
     SELECT bucket FROM attempts
     -- In a query of its own, since an index cannot follow a clock that goes on.
     WHERE forgotten_at < (SELECT clock_timestamp()) AND blocked_until < clock_timestamp()
     LIMIT 10000 FOR UPDATE SKIP LOCKED)`,
);

/** Forgets what counts no longer: up to 10,000 rows, and how many it were. */
export async function pruneAttempts(tx: Tx): Promise<number> {
  return tx.execute(pruneSql);
}
