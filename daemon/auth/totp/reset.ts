import { randomUUID } from 'node:crypto';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { appendAudit } from '../../platform/audit/audit.ts';
import type { Db } from '../../platform/db/db.ts';
import { canonicalizeEmail, type User } from '../domain.ts';
import { createNotices } from '../notices/notices.ts';
import { endSessions, lockSessions } from '../sessions/revoke.ts';
import { findUserByEmail, lockUser, revokeUserTokens } from '../users/store.ts';
import { removeTotp } from './store.ts';

/**
 * What `walletd users reset-totp` does on the host, for a user who lost device and recovery codes:
 * removes the second factor and ends every session. Daemons that run hear of it through the feed.
 * The place where a second factor is reset.
 */
export async function resetTotpOnHost(
  db: Db,
  account: { readonly email: string },
  isMailOn = false,
): Promise<Result<{ readonly user: User; readonly revokedSessions: number }>> {
  const email = canonicalizeEmail(account.email);
  if (!email.ok) return email;
  return db.tx(async (tx) => {
    const found = await findUserByEmail(tx, email.value);
    const user = found && (await lockUser(tx, found.id));
    const names = { field: 'email', email: email.value };
    if (!user) return refuse('USER_NOT_FOUND', `there is no account for ${email.value}`, names);
    if (!user.hasTotp) {
      return refuse('TOTP_NOT_ENABLED', `${email.value} has no second factor`, names);
    }
    await removeTotp(tx, user.id);
    const revokedSessions = (await endSessions(tx, await lockSessions(tx, user.id))).length;
    await revokeUserTokens(tx, user.id);
    const details = { revokedSessions: String(revokedSessions) };
    const line = { action: 'totp.reset', target: user.id, result: 'ok', details };
    await appendAudit(tx, { principal: { kind: 'host' }, requestId: randomUUID() }, line);
    const notice = { kind: 'totp-reset', by: 'host' } as const;
    await createNotices({ isMailOn }).notifyOwner(tx, user, notice);
    return succeed({ user, revokedSessions });
  });
}
