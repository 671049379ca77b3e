import { succeed, type Result } from '../../../core/reasons.ts';
import type {
  RevokeAllCredentialsRequest,
  RevokeAllCredentialsResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { userNotFound } from '../../platform/access/access.ts';
import { appendAudit } from '../../platform/audit/audit.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { resolveOwner } from '../sessions/session-list.ts';
import { lockUser } from '../users/store.ts';
import { describeEnded, endCredentials, factsOfEnded } from './credentials.ts';
import type { RecoveryOptions } from './reset-password.ts';

/** Ends all sessions and API keys of the caller; for admins, of any user. In one step. */
export async function revokeAllCredentials(
  { db, notices, revocations }: RecoveryOptions,
  request: RevokeAllCredentialsRequest,
  context: CallContext,
): Promise<Result<RevokeAllCredentialsResponse>> {
  const owner = resolveOwner(context, request.userId, 'user_id');
  if (!owner.ok) return owner;
  const { userId, caller } = owner.value;
  const done = await db.tx(async (tx) => {
    const user = await lockUser(tx, userId);
    if (!user) return undefined;
    const ended = await endCredentials(tx, user, { keepApiKeys: false });
    await appendAudit(tx, context, {
      action: 'credentials.revoke_all',
      target: userId,
      result: 'ok',
      details: describeEnded(ended),
    });
    const isOwn = caller.userId === userId;
    await notices.notifyOwner(tx, user, {
      kind: 'credentials-revoked',
      ...(isOwn ? { source: context.source } : { by: 'staff' as const }),
      facts: factsOfEnded(ended),
    });
    return ended;
  });
  if (!done) return userNotFound(userId);
  done.revocations.forEach((revocation) => revocations.apply(revocation));
  return succeed({ revokedSessions: done.sessions, revokedApiKeys: done.apiKeys });
}
