import { sql, type Tx } from '../../platform/db/db.ts';
import type { User } from '../domain.ts';
import { lockCredentials } from '../store.ts';
import type { BrowserSession } from './browser-domain.ts';

const ownerSql = sql(
  'browser_session_owner',
  'SELECT id, user_id FROM sessions WHERE browser_token_hash = $1',
);

/** Which session has this token; undefined for an unknown one. */
export async function findBrowserSession(
  tx: Tx,
  tokenHash: Buffer,
): Promise<{ readonly id: string; readonly userId: string } | undefined> {
  const [row] = await tx.query<{ id: string; user_id: string }>(ownerSql, [tokenHash]);
  return row && { id: row.id, userId: row.user_id };
}

const lockSql = sql(
  'browser_session_lock',
  `SELECT created_at, last_used_at, expires_at, revoked_at FROM sessions
   WHERE id = $1 FOR UPDATE`,
);

/**
 * Locks the user and then the session: what is read here holds until the commit. Undefined for a
 * session that was deleted meanwhile.
 */
export async function lockBrowserSession(
  tx: Tx,
  found: { readonly id: string; readonly userId: string },
): Promise<{ readonly user: User; readonly session: BrowserSession } | undefined> {
  type Row = {
    created_at: number;
    last_used_at: number;
    expires_at: number;
    revoked_at: number | null;
  };
  const held = await lockCredentials(tx, found.userId);
  const [row] = held ? await tx.query<Row>(lockSql, [found.id]) : [];
  if (!held || !row) return undefined;
  const session = {
    createdAtMs: row.created_at,
    lastUsedAtMs: row.last_used_at,
    expiresAtMs: row.expires_at,
    revokedAtMs: row.revoked_at ?? undefined,
    isUserDisabled: held.user.isDisabled,
  };
  return { user: held.user, session };
}

const recordUseSql = sql(
  'browser_session_record_use',
  'UPDATE sessions SET last_used_at = $2, expires_at = $3 WHERE id = $1',
);

/** Records a use of a session, which moves its end. */
export async function recordUse(
  tx: Tx,
  id: string,
  { nowMs, newEndMs }: { readonly nowMs: number; readonly newEndMs: number },
): Promise<void> {
  const times = [nowMs, newEndMs].map((timeMs) => new Date(timeMs).toISOString());
  await tx.execute(recordUseSql, [id, ...times]);
}
