import { sql, type Tx } from '../../platform/db/db.ts';

const completeTimeSql = sql(
  'checkpoint_complete_time',
  // The statement's time is read first: a transaction that is not seen has begun after it.
  `SELECT least(statement_timestamp(), min(xact_start)) AS time FROM pg_stat_activity
   WHERE datname = current_database() AND backend_type = 'client backend'
     AND pid <> pg_backend_pid()
     AND xact_start > statement_timestamp() - $1 * interval '1 millisecond'`,
);

/** No commit is open for longer: what is, reads, or was forgotten. */
const longestCommitMs = 300_000;

/**
 * A time before which no transaction is missing from any snapshot that is taken after this call: a
 * commit that is open now has read its clock since it began. Of sessions of other roles nothing is
 * seen; daemons of one database have the same role.
 */
export async function readCompleteTime(tx: Tx): Promise<number> {
  const [row] = await tx.query<{ time: number }>(completeTimeSql, [longestCommitMs]);
  if (!row) throw new Error('the database gave no time');
  return row.time;
}
