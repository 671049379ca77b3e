import { randomUUID } from 'node:crypto';

import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type { Role } from '../../core/roles.ts';
import { appendAudit, type AuditActor } from '../platform/audit/audit.ts';
import type { Db } from '../platform/db/db.ts';
import { createAccount } from './users/accounts.ts';
import { canonicalizeEmail, canonicalizePassword, type User } from './domain.ts';
import { createPasswords } from './users/passwords.ts';
import { createNotices } from './notices/notices.ts';
import { describeEnded, endCredentials, factsOfEnded } from './recovery/credentials.ts';
import { findUserByEmail, lockUser } from './users/store.ts';
import { setPasswordHash } from './store.ts';
import { hostCaller } from './throttling/fair-caller.ts';

/** A user of the host itself; the log cannot identify them further. */
const hostActor = (): AuditActor => ({ principal: { kind: 'host' }, requestId: randomUUID() });

/** What `walletd users create` does on the host: an account that counts as vouched for. */
export function createUserOnHost(
  db: Db,
  account: { readonly email: string; readonly password: string; readonly role: Role },
): Promise<Result<User>> {
  const options = { db, passwords: createPasswords(), actor: hostActor(), fairCaller: hostCaller };
  return createAccount(options, { ...account, isEmailVerified: true });
}

export type HostReset = {
  readonly user: User;
  readonly revokedSessions: number;
  readonly revokedApiKeys: number;
  readonly keptApiKeys: number;
};

/**
 * What `walletd users reset-password` does on the host: sets the password and ends every session,
 * and every API key unless they are to go on. Daemons that run hear of it through the feed. A
 * disabled account stays so.
 */
export async function resetPasswordOnHost(
  db: Db,
  account: { readonly email: string; readonly password: string; readonly keepApiKeys?: boolean },
  isMailOn = false,
): Promise<Result<HostReset>> {
  const email = canonicalizeEmail(account.email);
  if (!email.ok) return email;
  const password = canonicalizePassword(account.password);
  if (!password.ok) return password;
  const passwordHash = await createPasswords().hash(password.value, hostCaller);
  if (!passwordHash.ok) return passwordHash;
  return db.tx(async (tx) => {
    const found = await findUserByEmail(tx, email.value);
    const user = found && (await lockUser(tx, found.id));
    if (!user) {
      return refuse('USER_NOT_FOUND', `there is no account for ${email.value}`, {
        field: 'email',
        email: email.value,
      });
    }
    await setPasswordHash(tx, user.id, passwordHash.value);
    const ended = await endCredentials(tx, user, { keepApiKeys: account.keepApiKeys === true });
    const details = describeEnded(ended);
    const line = { action: 'password.reset', target: user.id, result: 'ok', details };
    await appendAudit(tx, hostActor(), line);
    const facts = factsOfEnded(ended);
    const notice = { kind: 'password-reset', by: 'host', facts } as const;
    await createNotices({ isMailOn }).notifyOwner(tx, user, notice);
    const { sessions: revokedSessions, apiKeys: revokedApiKeys, keptApiKeys } = ended;
    return succeed({ user, revokedSessions, revokedApiKeys, keptApiKeys });
  });
}
