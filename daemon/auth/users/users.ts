import { isUuid } from '../../../core/ids.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { roleOfWireNumber } from '../../../core/roles.ts';
import {
  Role as WireRole,
  type GetUserRequest,
  type GetUserResponse,
  type ListUsersRequest,
  type ListUsersResponse,
  type UpdateUserRequest,
  type UpdateUserResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  deny,
  refuseWithoutTotp,
  resolveSubject,
  userNotFound,
} from '../../platform/access/access.ts';
import { appendAudit, type AuditTrail } from '../../platform/audit/audit.ts';
import type { Db, Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import type { Revocation, Revocations } from '../../platform/access/revocations.ts';
import { canonicalizeEmail, decideUserChange, type User, type UserChange } from '../domain.ts';
import { checkSession } from '../sessions/caller-session.ts';
import { readPage } from '../paging.ts';
import { endSessions, lockSessions } from '../sessions/revoke.ts';
import * as users from './store.ts';
import * as store from '../store.ts';
import { toWireUser } from '../wire.ts';

export type UserOptions = {
  readonly db: Db;
  readonly trail: AuditTrail;
  readonly revocations: Pick<Revocations, 'apply'>;
};

/** One user. A lookup of another user by staff is recorded before the answer is sent. */
export async function getUser(
  { db, trail }: UserOptions,
  request: GetUserRequest,
  context: CallContext,
): Promise<Result<GetUserResponse>> {
  const { principal } = context;
  const own = principal.kind === 'user' ? principal.userId : '';
  const subject = resolveSubject(principal, request.userId === '' ? own : request.userId);
  if (!subject.ok) return subject;
  if (principal.kind === 'user' && principal.mustEnrol && subject.value !== own) {
    return refuseWithoutTotp(principal);
  }
  const [user] = await db.read((tx) => store.findUsers(tx, [subject.value], []));
  const result = user ? succeed({ user: toWireUser(user) }) : userNotFound(subject.value);
  if (principal.kind === 'user' && principal.userId !== subject.value) {
    const outcome = result.ok ? 'ok' : result.rejection.reason;
    await trail.record(context, { action: 'user.get', target: subject.value, result: outcome });
  }
  return result;
}

/** A page of users, the newest first; by role, or the one with an address. */
export async function listUsers(
  { db, trail }: UserOptions,
  request: ListUsersRequest,
  context: CallContext,
): Promise<Result<ListUsersResponse>> {
  const role = roleOfWireNumber(request.role);
  if (!role && request.role !== WireRole.UNSPECIFIED) {
    return refuse('INVALID_ARGUMENT', 'role is unknown', { field: 'role' });
  }
  const email = request.email === '' ? succeed('') : canonicalizeEmail(request.email);
  if (!email.ok) return email;
  const page = await readPage(request, [request.role, email.value], (after, limit) =>
    db.read((tx) =>
      email.value === ''
        ? users.listUsers(tx, role, after, limit)
        : findByEmail(tx, email.value, role),
    ),
  );
  if (!page.ok) return page;
  const { items, nextPageToken } = page.value;
  const only = items.length === 1 ? items[0] : undefined;
  const details = { role: role ?? '', email: email.value, count: String(items.length) };
  const target = email.value === '' ? '' : (only?.id ?? '');
  await trail.record(context, { action: 'user.list', target, result: 'ok', details });
  return succeed({ users: items.map(toWireUser), nextPageToken });
}

async function findByEmail(tx: Tx, email: string, role: User['role'] | undefined) {
  const user = await users.findUserByEmail(tx, email);
  if (!user || (role !== undefined && user.role !== role)) return [];
  return [{ item: user, cursor: { micros: '0', id: user.id } }];
}

/**
 * Changes a user's role, or shuts them out or lets them in again. Every access token that they
 * have is void from then on; disabling ends their sessions as well, and stops their API keys.
 */
export async function updateUser(
  { db, revocations }: UserOptions,
  request: UpdateUserRequest,
  context: CallContext,
): Promise<Result<UpdateUserResponse>> {
  const role = request.role === undefined ? undefined : roleOfWireNumber(request.role);
  if (request.role !== undefined && !role) {
    return refuse('INVALID_ARGUMENT', 'role is unknown', { field: 'role' });
  }
  if (request.role === undefined && request.disabled === undefined) {
    return refuse('INVALID_ARGUMENT', 'name what to change: role or disabled', { field: 'role' });
  }
  if (!isUuid(request.userId)) {
    return refuse('INVALID_ARGUMENT', 'user_id must be a UUID in lower case', { field: 'user_id' });
  }
  const change = { role, isDisabled: request.disabled };
  const changed = await db.tx((tx) => changeUser(tx, request.userId, change, context));
  if (!changed.ok) return changed;
  if (changed.value.revocation) revocations.apply(changed.value.revocation);
  return succeed({ user: toWireUser(changed.value.user) });
}

async function changeUser(
  tx: Tx,
  userId: string,
  change: UserChange,
  context: CallContext,
): Promise<Result<{ readonly user: User; readonly revocation?: Revocation }>> {
  const { user, admins } = await users.lockUserAndAdmins(tx, userId);
  const adminIds = admins.map(({ id }) => id);
  const { principal } = context;
  if (principal.kind !== 'user' || !adminIds.includes(principal.userId)) {
    return deny('you are not an admin any more');
  }
  const alive = await checkSession(tx, principal);
  if (!alive.ok) return alive;
  if (!user) return userNotFound(userId);
  const decided = decideUserChange(user, adminIds, change);
  if (!decided.ok) return decided;
  const { role, isDisabled } = decided.value;
  if (role === user.role && isDisabled === user.isDisabled) return succeed({ user });
  const updated = await users.updateUser(tx, decided.value);
  const revokedSessions = isDisabled
    ? (await endSessions(tx, await lockSessions(tx, userId))).length
    : 0;
  const revocation = await users.revokeUserTokens(tx, userId);
  const details = {
    ...(role === user.role ? {} : { role, previousRole: user.role }),
    ...(isDisabled === user.isDisabled ? {} : { disabled: String(isDisabled) }),
    revokedSessions: String(revokedSessions),
  };
  const line = { action: 'user.update', target: userId, result: 'ok', details };
  await appendAudit(tx, context, line);
  return succeed({ user: updated, revocation });
}
