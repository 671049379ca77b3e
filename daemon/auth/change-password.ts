import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type { ChangePasswordRequest } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { deny } from '../platform/access.ts';
import { appendAudit, type AuditActor } from '../platform/audit.ts';
import { sql, type Tx } from '../platform/db.ts';
import type { CallContext } from '../platform/grpc/calls.ts';
import type { Revocation } from '../platform/revocations.ts';
import { canonicalizePassword, normalizePassword } from './domain.ts';
import type { SessionOptions } from './sessions.ts';
import * as store from './store.ts';
import type { Attempted } from './throttling/throttle.ts';
import { turnOf, type HashTurn } from './throttling/turn.ts';

/**
 * Sets a new password for the caller, who must know the old one. Wrong ones count against the
 * session: guesses of strangers do not stand in the way, and a stolen session cannot guess freely.
 */
export async function changePassword(
  options: SessionOptions,
  request: ChangePasswordRequest,
  caller: CallContext,
): Promise<Result<object>> {
  const { principal } = caller;
  if (principal.kind !== 'user' || principal.sessionId === undefined) {
    return deny('only a person who is signed in can change a password');
  }
  const { userId, sessionId } = principal;
  const password = canonicalizePassword(request.newPassword);
  if (!password.ok) return inField(password.rejection.message);
  const old = normalizePassword(request.oldPassword);
  if (old === password.value) return inField('the new password must differ from the old one');
  const { throttle } = options;
  const turn = turnOf(caller, userId);
  const change = { userId, sessionId, old, new: password.value, turn };
  return throttle.guard(
    [throttle.bucketOf.session(sessionId)],
    () => replace(options, caller, change, request),
    { turn },
  );
}

const inField = (message: string): Result<never> =>
  refuse('PASSWORD_INVALID', message, { field: 'new_password' });

const wrong = {
  outcome: 'failed' as const,
  result: refuse('CREDENTIALS_INVALID', 'the old password is not right', { field: 'old_password' }),
};

async function replace(
  { db, passwords, revocations }: SessionOptions,
  caller: AuditActor,
  change: {
    readonly userId: string;
    readonly sessionId: string;
    readonly old: string | undefined;
    readonly new: string;
    readonly turn: HashTurn;
  },
  { revokeOtherSessions }: ChangePasswordRequest,
): Promise<Attempted<object>> {
  const { userId, sessionId } = change;
  const current = await db.read((tx) => findPasswordHash(tx, userId));
  const phc = change.old === undefined ? undefined : current;
  const verified = await passwords.verify(phc, change.old ?? '', change.turn);
  if (!verified.ok) return { outcome: 'void', result: verified };
  if (!verified.value.isMatch) return wrong;
  const hashed = await passwords.hash(change.new, change.turn);
  if (!hashed.ok) return { outcome: 'void', result: hashed };
  const ended = await db.tx(async (tx) => {
    // Somebody else may have changed it meanwhile, or disabled the account.
    if ((await store.lockPasswordHash(tx, userId)) !== current) return undefined;
    await store.setPasswordHash(tx, userId, hashed.value);
    const others = revokeOtherSessions ? await revokeOthers(tx, userId, sessionId) : [];
    const details = { endedSessions: String(others.length) };
    await appendAudit(tx, caller, {
      ...{ action: 'password.change', target: userId, result: 'ok', details },
    });
    return others;
  });
  if (!ended) return wrong;
  ended.forEach((revocation) => revocations.apply(revocation));
  return { outcome: 'passed', result: succeed({}) };
}

const hashSql = sql('user_hash', 'SELECT password_hash FROM users WHERE id = $1');

export async function findPasswordHash(tx: Tx, userId: string): Promise<string | undefined> {
  return (await tx.query<{ password_hash: string }>(hashSql, [userId]))[0]?.password_hash;
}

const revokeOthersSql = sql(
  'session_revoke_others',
  `WITH revoked AS (
     UPDATE sessions SET revoked_at = clock_timestamp()
     WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL AND expires_at > clock_timestamp()
     RETURNING id, revoked_at)
   INSERT INTO revocations (kind, subject_id, revoked_at)
   SELECT 'session', id, revoked_at FROM revoked
   RETURNING subject_id, revoked_at`,
);
const dropOthersSql = sql(
  'refresh_drop_of_sessions',
  'DELETE FROM refresh_tokens WHERE session_id = ANY($1::uuid[])',
);

/** Ends all sessions of a user but one, and tells the feed. */
export async function revokeOthers(tx: Tx, userId: string, kept: string): Promise<Revocation[]> {
  type Row = { subject_id: string; revoked_at: number };
  const rows = await tx.query<Row>(revokeOthersSql, [userId, kept]);
  await tx.execute(dropOthersSql, [rows.map((row) => row.subject_id)]);
  return rows.map((row) => ({ kind: 'session', id: row.subject_id, revokedAtMs: row.revoked_at }));
}
