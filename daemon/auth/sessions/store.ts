import { sql, type Tx } from '../../platform/db/db.ts';
import { isAfterCursor, microsOf, type Cursor, type Paged } from '../users/store.ts';

/** A session that is alive, as lists show it. */
export type ListedSession = {
  readonly id: string;
  readonly userId: string;
  readonly client: string;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number;
  readonly expiresAtMs: number;
  readonly isBrowser: boolean;
};

type Row = {
  id: string;
  user_id: string;
  client: string;
  created_at: number;
  last_used_at: number;
  expires_at: number;
  is_browser: boolean;
  micros: bigint;
};

const listSql = sql(
  'session_list',
  `SELECT s.id, s.user_id, s.client, s.created_at, s.last_used_at, s.expires_at,
     s.browser_token_hash IS NOT NULL AS is_browser, ${microsOf('s.created_at')}
   FROM sessions s
   WHERE ${isAfterCursor('s')} AND s.user_id = $4 AND s.revoked_at IS NULL
     AND s.expires_at > clock_timestamp()
   ORDER BY s.created_at DESC, s.id DESC LIMIT $3`,
);

/** At most `limit` living sessions of a user, the newest first. */
export async function listSessions(
  tx: Tx,
  userId: string,
  after: Cursor | undefined,
  limit: number,
): Promise<Paged<ListedSession>[]> {
  const values = [after?.micros ?? null, after?.id ?? null, limit, userId];
  const rows = await tx.query<Row>(listSql, values);
  return rows.map((row) => ({
    item: {
      id: row.id,
      userId: row.user_id,
      client: row.client,
      createdAtMs: row.created_at,
      lastUsedAtMs: row.last_used_at,
      expiresAtMs: row.expires_at,
      isBrowser: row.is_browser,
    },
    cursor: { micros: String(row.micros), id: row.id },
  }));
}

const lockSql = sql(
  'session_lock_of',
  `SELECT user_id FROM sessions WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2) FOR UPDATE`,
);

/** Locks a session, of this owner only if one is given, and says whose it is. */
export async function lockSession(
  tx: Tx,
  id: string,
  ownerId: string | undefined,
): Promise<string | undefined> {
  const [row] = await tx.query<{ user_id: string }>(lockSql, [id, ownerId]);
  return row?.user_id;
}

const existsSql = sql('session_exists', 'SELECT 1 FROM sessions WHERE id = $1');

/** Whether there is this session, of any user. */
export async function hasSession(tx: Tx, id: string): Promise<boolean> {
  return (await tx.query(existsSql, [id])).length > 0;
}

const endedSql = sql(
  'session_ended',
  // Two searches, each along its index: for one with OR the whole table would be read.
  `WITH expired AS (
     SELECT id FROM sessions WHERE expires_at < (SELECT clock_timestamp())
     LIMIT $1 FOR UPDATE SKIP LOCKED),
   revoked AS (
     SELECT id FROM sessions
     WHERE revoked_at < (SELECT clock_timestamp() - interval '1 hour')
     LIMIT $1 FOR UPDATE SKIP LOCKED)
   SELECT id FROM expired UNION SELECT id FROM revoked LIMIT $1`,
);
const pruneTokensSql = sql(
  'refresh_prune',
  `DELETE FROM refresh_tokens WHERE token_hash = ANY (ARRAY(
     SELECT token_hash FROM refresh_tokens WHERE session_id = ANY ($1::uuid[]) LIMIT $2))`,
);
const pruneSql = sql('session_prune', 'DELETE FROM sessions WHERE id = ANY ($1::uuid[])');

/**
 * Forgets sessions past their end, or ended an hour ago, once their refresh tokens are forgotten: a
 * session has thousands of these after a month. At most `limit` rows, and how many those were;
 * `limit` where there may be more. Their access tokens have ended by then, and the audit log keeps
 * who signed in.
 */
export async function pruneSessions(tx: Tx, limit: number): Promise<number> {
  const ended = await tx.query<{ id: string }>(endedSql, [limit]);
  if (ended.length === 0) return 0;
  const ids = ended.map(({ id }) => id);
  const tokens = await tx.execute(pruneTokensSql, [ids, limit]);
  if (tokens >= limit) return tokens;
  return tokens + (await tx.execute(pruneSql, [ids]));
}
