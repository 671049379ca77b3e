import { canonicalUuid, isUuid } from '../../../core/ids.ts';
import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import type {
  ListSessionsRequest,
  ListSessionsResponse,
  RevokeSessionRequest,
  RevokeSessionResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { deny, userNotFound, type UserPrincipal } from '../../platform/access/access.ts';
import { appendAudit } from '../../platform/audit/audit.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { readPage } from '../paging.ts';
import { hasSession, listSessions as listRows, lockSession } from './store.ts';
import { endSessions, lockSessions, revokeSession as revoke } from './revoke.ts';
import { lockUser, revokeUserTokens } from '../users/store.ts';
import * as store from '../store.ts';
import type { UserOptions } from '../users/users.ts';
import { toWireSession } from '../wire.ts';

/** A page of live sessions, the newest first: the caller's own; for admins, of any user. */
export async function listSessions(
  { db, trail }: UserOptions,
  request: ListSessionsRequest,
  context: CallContext,
): Promise<Result<ListSessionsResponse>> {
  const owner = resolveOwner(context, request.userId, 'user_id');
  if (!owner.ok) return owner;
  const { userId, caller } = owner.value;
  const page = await readPage(request, [userId], (after, limit) =>
    db.read((tx) => listRows(tx, userId, after, limit)),
  );
  if (!page.ok) return page;
  if (userId !== caller.userId) {
    const [user] = await db.read((tx) => store.findUsers(tx, [userId], []));
    const result = user ? 'ok' : 'USER_NOT_FOUND';
    await trail.record(context, { action: 'session.list', target: userId, result });
    if (!user) return userNotFound(userId);
  }
  const { items, nextPageToken } = page.value;
  const sessions = items.map((session) => toWireSession(session, caller.sessionId));
  return succeed({ sessions, nextPageToken });
}

/** Ends one session or all of a user; access tokens are void at once. */
export async function revokeSession(
  options: UserOptions,
  request: RevokeSessionRequest,
  context: CallContext,
): Promise<Result<RevokeSessionResponse>> {
  const { target } = request;
  if (target?.$case === 'sessionId') return revokeOne(options, target.value, context);
  if (target) return revokeAll(options, target.value, context);
  return refuse('INVALID_ARGUMENT', 'name a session, or the user whose sessions are to end', {
    field: 'session_id',
  });
}

async function revokeOne(
  { db, trail, revocations }: UserOptions,
  sessionId: string,
  context: CallContext,
): Promise<Result<RevokeSessionResponse>> {
  const { principal } = context;
  if (principal.kind !== 'user') return deny('only a user can end sessions');
  if (!isUuid(sessionId)) return sessionNotFound(sessionId);
  const onlyOf = principal.role === 'admin' ? undefined : principal.userId;
  const ended = await db.tx(async (tx) => {
    const ownerId = await lockSession(tx, sessionId, onlyOf);
    if (ownerId === undefined) return sessionNotFound(sessionId);
    const revocation = await revoke(tx, sessionId);
    const line = { action: 'session.revoke', target: ownerId, result: 'ok' };
    if (revocation) await appendAudit(tx, context, { ...line, details: { sessionId } });
    return succeed(revocation);
  });
  if (!ended.ok) {
    const exists = () => db.read((tx) => hasSession(tx, sessionId));
    if (onlyOf) trail.recordForeign(context, 'revokeSession', ended.rejection, exists);
    return ended;
  }
  if (ended.value) revocations.apply(ended.value);
  return succeed({ revoked: ended.value ? 1 : 0 });
}

async function revokeAll(
  { db, revocations }: UserOptions,
  named: string,
  context: CallContext,
): Promise<Result<RevokeSessionResponse>> {
  const owner = resolveOwner(context, named, 'all_of_user_id');
  if (!owner.ok) return owner;
  const { userId } = owner.value;
  const ended = await db.tx(async (tx) => {
    if (!(await lockUser(tx, userId))) return userNotFound(userId);
    const revoked = (await endSessions(tx, await lockSessions(tx, userId))).length;
    const revocation = await revokeUserTokens(tx, userId);
    const line = { action: 'session.revoke', target: userId, result: 'ok' };
    await appendAudit(tx, context, { ...line, details: { all: 'true', count: String(revoked) } });
    return succeed({ revoked, revocation });
  });
  if (!ended.ok) return ended;
  revocations.apply(ended.value.revocation);
  return succeed({ revoked: ended.value.revoked });
}

/**
 * The owner of the sessions or keys of a call: the caller, or the user whom an admin names. For all
 * other callers another user is answered like one who does not exist.
 */
export function resolveOwner(
  { principal }: CallContext,
  named: string,
  field: string,
): Result<{ readonly userId: string; readonly caller: UserPrincipal }> {
  if (principal.kind !== 'user') return deny('only a user can do this');
  const userId = named === '' ? principal.userId : canonicalUuid(named);
  if (userId === undefined) {
    return refuse('INVALID_ARGUMENT', `${field} must be a UUID`, { field });
  }
  if (userId === principal.userId || principal.role === 'admin') {
    return succeed({ userId, caller: principal });
  }
  return { ok: false, rejection: { ...userNotFound(userId).rejection, isDenial: true } };
}

function sessionNotFound(sessionId: string): { readonly ok: false; readonly rejection: Rejection } {
  return refuse('SESSION_NOT_FOUND', `there is no session ${sessionId}`, {
    field: 'session_id',
    sessionId,
  });
}
