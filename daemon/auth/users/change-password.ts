import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type {
  ChangePasswordRequest,
  ChangePasswordResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { deny } from '../../platform/access/access.ts';
import { appendAudit } from '../../platform/audit/audit.ts';
import { sql, type Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { checkSession } from '../sessions/caller-session.ts';
import { issueDeviceToken } from '../sessions/device-tokens.ts';
import { canonicalizePassword, normalizePassword } from '../domain.ts';
import { endApiKeys, factsOfEnded, voidPending } from '../recovery/credentials.ts';
import type { SessionOptions } from '../sessions/sessions.ts';
import { findPasswordHash, lockUser } from './store.ts';
import { lockSessions, revokeSessions } from '../sessions/revoke.ts';
import * as store from '../store.ts';
import type { Attempted } from '../throttling/throttle.ts';
import { fairCallerOf, type FairCaller } from '../throttling/fair-caller.ts';

/**
 * Sets a new password for the caller, who must know the old one. Wrong ones count against the
 * session: guesses of strangers do not stand in the way, and a stolen session cannot guess freely.
 * With the other sessions, device tokens and what waits for a mailed code end as well.
 */
export async function changePassword(
  options: SessionOptions,
  request: ChangePasswordRequest,
  caller: CallContext,
): Promise<Result<ChangePasswordResponse>> {
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
  const fairCaller = fairCallerOf(caller, userId);
  const change = { userId, sessionId, old, new: password.value, fairCaller };
  return throttle.guard(
    [throttle.bucketOf.session(sessionId)],
    () => replace(options, caller, change, request),
    { fairCaller },
  );
}

const inField = (message: string): Result<never> =>
  refuse('PASSWORD_INVALID', message, { field: 'new_password' });

const wrong = {
  outcome: 'failed' as const,
  result: refuse('CREDENTIALS_INVALID', 'the old password is not right', { field: 'old_password' }),
};

async function replace(
  options: SessionOptions,
  caller: CallContext,
  change: {
    readonly userId: string;
    readonly sessionId: string;
    readonly old: string | undefined;
    readonly new: string;
    readonly fairCaller: FairCaller;
  },
  request: ChangePasswordRequest,
): Promise<Attempted<ChangePasswordResponse>> {
  const { db, passwords, revocations } = options;
  const { userId } = change;
  const current = await db.read((tx) => findPasswordHash(tx, userId));
  const phc = change.old === undefined ? undefined : current;
  const verified = await passwords.verify(phc, change.old ?? '', change.fairCaller);
  if (!verified.ok) return { outcome: 'void', result: verified };
  if (!verified.value.isMatch) return wrong;
  const hashed = await passwords.hash(change.new, change.fairCaller);
  if (!hashed.ok) return { outcome: 'void', result: hashed };
  const done = await db.tx(async (tx) => {
    // Another call may have changed it meanwhile, or disabled the account.
    if ((await store.lockPasswordHash(tx, userId)) !== current) return wrong;
    const alive = await checkSession(tx, change);
    if (!alive.ok) return { outcome: 'failed' as const, result: alive };
    await store.setPasswordHash(tx, userId, hashed.value);
    return endOthers(tx, options, change, request, caller);
  });
  if ('outcome' in done) return done;
  done.revocations.forEach((revocation) => revocations.apply(revocation));
  return { outcome: 'passed', result: succeed(done.response) };
}

/**
 * Ends what is to end with the old password, and reports it. The caller holds the lock of the user.
 */
async function endOthers(
  tx: Tx,
  { devices, notices }: SessionOptions,
  { userId, sessionId }: { readonly userId: string; readonly sessionId: string },
  { revokeOtherSessions, revokeApiKeys }: ChangePasswordRequest,
  caller: CallContext,
) {
  const user = await lockUser(tx, userId);
  if (!user) throw new Error('a locked user was not found');
  const sessions = revokeOtherSessions
    ? await revokeSessions(tx, await lockSessions(tx, userId, sessionId))
    : [];
  const keptSessions = revokeOtherSessions ? 0 : await countOthers(tx, userId, sessionId);
  const keys = await endApiKeys(tx, userId, revokeApiKeys);
  if (revokeOtherSessions) await voidPending(tx, user);
  const ended = { sessions: sessions.length, apiKeys: keys.ended.length, keptApiKeys: keys.kept };
  const details = {
    revokedSessions: String(sessions.length),
    revokedApiKeys: String(keys.ended.length),
    keptApiKeys: String(keys.kept),
  };
  const line = { action: 'password.change', target: userId, result: 'ok', details };
  await appendAudit(tx, caller, line);
  const { source } = caller;
  const facts = factsOfEnded(ended);
  await notices.notifyOwner(tx, user, { kind: 'password-changed', source, facts });
  return {
    revocations: [...sessions, ...keys.ended],
    response: {
      revokedSessions: sessions.length,
      revokedApiKeys: keys.ended.length,
      keptSessions,
      keptApiKeys: keys.kept,
      deviceToken: revokeOtherSessions ? await issueDeviceToken(tx, devices, user) : '',
    },
  };
}

const countOthersSql = sql(
  'session_count_others',
  `SELECT count(*) AS count FROM sessions
   WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL AND expires_at > clock_timestamp()`,
);

async function countOthers(tx: Tx, userId: string, sessionId: string): Promise<number> {
  const [row] = await tx.query<{ count: bigint }>(countOthersSql, [userId, sessionId]);
  return Number(row?.count ?? 0n);
}
