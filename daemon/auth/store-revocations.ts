import { sql, type Tx } from '../platform/db.ts';
import type { Revocation } from '../platform/revocations.ts';

// The clock is asked in a query of its own: compared with a function that changes from row to row,
// a column's index is of no use.
const revocationsSql = sql(
  'revocation_list',
  `SELECT kind, subject_id, revoked_at, generation FROM revocations
   WHERE revoked_at >= (
     SELECT GREATEST($1::timestamptz, clock_timestamp() - interval '20 minutes'))`,
);

/** What was revoked since, as far as a token can still live that it concerns. */
export async function listRevocations(tx: Tx, sinceMs: number | undefined): Promise<Revocation[]> {
  type Row = {
    kind: Revocation['kind'];
    subject_id: string;
    revoked_at: number;
    generation: bigint | null;
  };
  const since = sinceMs === undefined ? '-infinity' : new Date(sinceMs).toISOString();
  const rows = await tx.query<Row>(revocationsSql, [since]);
  return rows.map((r) => ({
    kind: r.kind,
    id: r.subject_id,
    revokedAtMs: r.revoked_at,
    ...(r.generation === null ? {} : { generation: Number(r.generation) }),
  }));
}

const pruneSql = sql(
  'revocation_prune',
  `DELETE FROM revocations WHERE (kind, subject_id, revoked_at) IN (
     SELECT kind, subject_id, revoked_at FROM revocations
     WHERE revoked_at < (SELECT clock_timestamp() - interval '1 day')
     LIMIT 10000 FOR UPDATE SKIP LOCKED)`,
);

/** Forgets what no token can be checked against any more: up to 10,000 rows, and how many it were. */
export async function pruneRevocations(tx: Tx): Promise<number> {
  return tx.execute(pruneSql);
}
