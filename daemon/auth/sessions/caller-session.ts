import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import { clockStepMs } from '../../../core/time/stored-times.ts';
import { sessionLifeMs } from '../domain.ts';

const aliveSql = sql(
  'session_alive',
  `SELECT 1 FROM sessions
   WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > clock_timestamp()
     AND expires_at <= clock_timestamp() + $3 * interval '1 millisecond'`,
);

/** A session of a user; undefined where the caller has none. */
type CallerSession = { readonly userId: string; readonly sessionId: string | undefined };

export const sessionEnded = refuse('TOKEN_REVOKED', 'this sign-in has been ended: sign in again');

/**
 * TOKEN_REVOKED for a caller whose session has ended since the call was admitted: it may have
 * waited for its turn and for locks. For whatever outlasts a session (a key, a password, an
 * address, another account). The caller holds the lock of the user, as does what ends all sessions.
 */
export async function checkSession(
  tx: Tx,
  { userId, sessionId }: CallerSession,
): Promise<Result<void>> {
  if (sessionId === undefined) return sessionEnded;
  const alive = await tx.query(aliveSql, [sessionId, userId, sessionLifeMs + clockStepMs]);
  return alive.length > 0 ? succeed(undefined) : sessionEnded;
}
