import { sql, type Tx } from '../../platform/db/db.ts';
import type { Revocation } from '../../platform/access/revocations.ts';
import { microsOf } from '../users/store.ts';

/** Where a page of revocations ends: time in microseconds, kind and subject of its last one. */
export type RevocationCursor = {
  readonly micros: string;
  readonly kind: string;
  readonly id: string;
};

// The clock is asked in a query of its own: compared with a function that changes from row to row,
// a column's index is of no use.
const revocationsSql = sql(
  'revocation_list',
  `SELECT kind, subject_id, revoked_at, generation, ${microsOf('revoked_at')} FROM revocations
   WHERE revoked_at >= (
     SELECT GREATEST($1::timestamptz, clock_timestamp() - interval '20 minutes'))
     AND (revoked_at, kind, subject_id) >
       (coalesce(timestamptz 'epoch' + $2::bigint * interval '1 microsecond', '-infinity'),
         $3::text, $4::uuid)
   ORDER BY revoked_at, kind, subject_id LIMIT $5`,
);

/**
 * What was revoked since, as far as a token can still live that it concerns: at most `limit`, in
 * order.
 */
export async function listRevocations(
  tx: Tx,
  sinceMs: number | undefined,
  after: RevocationCursor | undefined,
  limit: number,
): Promise<{ readonly item: Revocation; readonly cursor: RevocationCursor }[]> {
  type Row = {
    kind: Revocation['kind'];
    subject_id: string;
    revoked_at: number;
    generation: bigint | null;
    micros: bigint;
  };
  const since = sinceMs === undefined ? '-infinity' : new Date(sinceMs).toISOString();
  const { micros = null, kind = '', id = firstId } = after ?? {};
  const rows = await tx.query<Row>(revocationsSql, [since, micros, kind, id, limit]);
  return rows.map((r) => ({
    item: {
      kind: r.kind,
      id: r.subject_id,
      revokedAtMs: r.revoked_at,
      ...(r.generation === null ? {} : { generation: Number(r.generation) }),
    },
    cursor: { micros: String(r.micros), kind: r.kind, id: r.subject_id },
  }));
}

const firstId = '00000000-0000-0000-0000-000000000000';

const pruneSql = sql(
  'revocation_prune',
  `DELETE FROM revocations WHERE (kind, subject_id, revoked_at) IN (
     SELECT kind, subject_id, revoked_at FROM revocations
     WHERE revoked_at < (SELECT clock_timestamp() - interval '1 day')
     LIMIT $1 FOR UPDATE SKIP LOCKED)`,
);

/**
 * Forgets what no token can be checked against any more: at most `limit` rows, and how many those
 * were.
 */
export async function pruneRevocations(tx: Tx, limit: number): Promise<number> {
  return tx.execute(pruneSql, [limit]);
}
