import type { Revocation } from '../../platform/access/revocations.ts';
import { sql, type Tx } from '../../platform/db/db.ts';

const lockSql = sql(
  'session_lock_all',
  `SELECT id FROM sessions
   WHERE user_id = $1 AND ($2::uuid IS NULL OR id <> $2)
     AND revoked_at IS NULL AND expires_at > clock_timestamp()
   ORDER BY id FOR UPDATE`,
);

/** Locks the sessions of a user that have not ended, without `keptId`, and gives their ids. */
export async function lockSessions(tx: Tx, userId: string, keptId?: string): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(lockSql, [userId, keptId ?? null]);
  return rows.map(({ id }) => id);
}

const endSql = sql(
  'session_end',
  `UPDATE sessions SET revoked_at = clock_timestamp()
   WHERE id = ANY($1::uuid[]) AND revoked_at IS NULL RETURNING id`,
);
const dropTokensSql = sql(
  'refresh_drop',
  'DELETE FROM refresh_tokens WHERE session_id = ANY($1::uuid[])',
);

/**
 * Ends sessions and deletes their refresh tokens; gives the ids of those that had not ended before.
 * Their access tokens stay valid: the caller revokes these, by `revokeUserTokens` for example.
 */
export async function endSessions(tx: Tx, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const rows = await tx.query<{ id: string }>(endSql, [ids]);
  const ended = rows.map(({ id }) => id);
  if (ended.length > 0) await tx.execute(dropTokensSql, [ended]);
  return ended;
}

const announceSql = sql(
  'session_announce',
  // In the feed until its tokens have ended, also where a clock was ahead as they were signed.
  `INSERT INTO revocations (kind, subject_id, revoked_at)
   SELECT 'session', id, GREATEST(revoked_at, last_used_at) FROM sessions
   WHERE id = ANY($1::uuid[])
   RETURNING subject_id, revoked_at`,
);

/** Ends sessions with their access tokens: each has a revocation in the feed. */
export async function revokeSessions(tx: Tx, ids: readonly string[]): Promise<Revocation[]> {
  const ended = await endSessions(tx, ids);
  if (ended.length === 0) return [];
  type Row = { subject_id: string; revoked_at: number };
  const rows = await tx.query<Row>(announceSql, [ended]);
  return rows.map((row) => ({ kind: 'session', id: row.subject_id, revokedAtMs: row.revoked_at }));
}

/** The same for one session; undefined if it had ended before. */
export async function revokeSession(tx: Tx, id: string): Promise<Revocation | undefined> {
  const [revocation] = await revokeSessions(tx, [id]);
  return revocation;
}
