import { appendAudit, type AuditActor } from '../../platform/audit/audit.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import type { Revocation } from '../../platform/access/revocations.ts';
import { revokeSession } from './revoke.ts';

/** Living sessions of one user: enough for every device and script of a person. */
const maxSessions = 50;
/** More than are there to end once the cap has held from the start. */
const maxEndedAtOnce = 100;

const excessSql = sql(
  'session_excess',
  `SELECT id FROM sessions
   WHERE user_id = $1 AND id <> $4 AND revoked_at IS NULL AND expires_at > clock_timestamp()
   ORDER BY created_at DESC, id DESC OFFSET $2 LIMIT $3`,
);

/**
 * Ends the oldest sessions of a user past the cap, in the transaction that has just opened one and
 * holds the user's lock. They end as by signing out, and the audit log says why.
 */
export async function endExcessSessions(
  tx: Tx,
  actor: AuditActor,
  opened: { readonly userId: string; readonly sessionId: string },
): Promise<Revocation[]> {
  const { userId, sessionId } = opened;
  // The new one is left out by name: after a step of the clock it need not be the newest.
  const values = [userId, maxSessions - 1, maxEndedAtOnce, sessionId];
  const rows = await tx.query<{ id: string }>(excessSql, values);
  const ended: Revocation[] = [];
  for (const { id } of rows) {
    const revocation = await revokeSession(tx, id);
    if (!revocation) continue;
    ended.push(revocation);
    const details = { sessionId: id, cause: 'session limit', limit: String(maxSessions) };
    const line = { action: 'session.end_oldest', target: userId, result: 'ok', details };
    await appendAudit(tx, actor, line);
  }
  return ended;
}
