import { refuse, type Result } from '../../../core/reasons.ts';
import { deny } from '../../platform/access/access.ts';
import type { AuditActor } from '../../platform/audit/audit.ts';
import type { Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import type { Revocation } from '../../platform/access/revocations.ts';
import { checkSession, sessionEnded } from '../sessions/caller-session.ts';
import { lockSessions, revokeSessions } from '../sessions/revoke.ts';
import { normalizePassword, type User } from '../domain.ts';
import type { SessionOptions } from '../sessions/sessions.ts';
import { findPasswordHash, lockUser, revokeUserTokens } from '../users/store.ts';
import type { Attempted } from '../throttling/throttle.ts';
import { fairCallerOf } from '../throttling/fair-caller.ts';

/** The caller's own account and session, locked and known to be alive. */
export type Held = { readonly user: User; readonly sessionId: string };

type Work<T> = (tx: Tx, held: Held, revoke: (revocation: Revocation) => void) => Promise<Result<T>>;

/**
 * Works in one transaction on the caller's own account, whose row is locked. Revocations that the
 * work names take effect at once in this process.
 */
export async function asHolder<T>(
  { db, revocations }: Pick<SessionOptions, 'db' | 'revocations'>,
  { principal }: AuditActor,
  work: Work<T>,
): Promise<Result<T>> {
  if (principal.kind !== 'user' || principal.sessionId === undefined) return onlyPeople;
  const { userId, sessionId } = principal;
  const revoked: Revocation[] = [];
  const result = await db.tx(async (tx) => {
    const user = await lockUser(tx, userId);
    if (!user || user.isDisabled) return sessionEnded;
    return work(tx, { user, sessionId }, (revocation) => revoked.push(revocation));
  });
  revoked.forEach((revocation) => revocations.apply(revocation));
  return result;
}

/**
 * The same for a caller who shows their password once more. Wrong ones count against the session,
 * as for a change of the password.
 */
export async function asHolderWithPassword<T>(
  options: SessionOptions,
  caller: CallContext,
  typedPassword: string,
  work: Work<T>,
): Promise<Result<T>> {
  const { db, passwords, throttle } = options;
  const { principal } = caller;
  if (principal.kind !== 'user' || principal.sessionId === undefined) return onlyPeople;
  const { userId, sessionId } = principal;
  const fairCaller = fairCallerOf(caller, userId);
  const attempt = async (): Promise<Attempted<T>> => {
    const current = await db.read((tx) => findPasswordHash(tx, userId));
    const password = normalizePassword(typedPassword);
    const phc = password === undefined ? undefined : current;
    const verified = await passwords.verify(phc, password ?? '', fairCaller);
    if (!verified.ok) return { outcome: 'void', result: verified };
    if (!verified.value.isMatch) return { outcome: 'failed', result: wrongPassword };
    const result = await asHolder<T>(options, caller, async (tx, held, revoke) => {
      if ((await findPasswordHash(tx, userId)) !== current) return wrongPassword;
      const alive = await checkSession(tx, { userId, sessionId });
      return alive.ok ? work(tx, held, revoke) : alive;
    });
    return { outcome: 'passed', result };
  };
  return throttle.guard([throttle.bucketOf.session(sessionId)], attempt, { fairCaller });
}

/**
 * Ends the other sessions of a user whose second factor was enabled or disabled, and makes all
 * access tokens void: those signed from now on say what is the case. How many sessions ended.
 */
export async function endOthers(
  tx: Tx,
  { user, sessionId }: Held,
  revoke: (revocation: Revocation) => void,
): Promise<number> {
  const others = await revokeSessions(tx, await lockSessions(tx, user.id, sessionId));
  others.forEach(revoke);
  revoke(await revokeUserTokens(tx, user.id));
  return others.length;
}

const onlyPeople = deny('only a person who is signed in can manage a second factor');
const wrongPassword = refuse('CREDENTIALS_INVALID', 'the password is not right', {
  field: 'password',
});
