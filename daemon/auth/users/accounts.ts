import { randomUUID } from 'node:crypto';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type { Role } from '../../../core/roles.ts';
import { appendAudit, type AuditActor } from '../../platform/audit/audit.ts';
import type { Db, Tx } from '../../platform/db/db.ts';
import { checkSession, sessionEnded } from '../sessions/caller-session.ts';
import { canonicalizeEmail, canonicalizePassword, type User } from '../domain.ts';
import type { Passwords } from './passwords.ts';
import { lockUser } from './store.ts';
import * as store from '../store.ts';
import type { FairCaller } from '../throttling/fair-caller.ts';

/**
 * Opens an account: EMAIL_INVALID, PASSWORD_INVALID, EMAIL_TAKEN. With `actor` it is recorded as
 * opened by them.
 */
export async function createAccount(
  {
    db,
    passwords,
    actor,
    fairCaller,
  }: {
    readonly db: Db;
    readonly passwords: Passwords;
    readonly actor?: AuditActor;
    readonly fairCaller: FairCaller;
  },
  account: {
    readonly email: string;
    readonly password: string;
    readonly role: Role;
    readonly isEmailVerified: boolean;
  },
): Promise<Result<User>> {
  const email = canonicalizeEmail(account.email);
  if (!email.ok) return email;
  const password = canonicalizePassword(account.password);
  if (!password.ok) return password;
  const passwordHash = await passwords.hash(password.value, fairCaller);
  if (!passwordHash.ok) return passwordHash;
  const { role, isEmailVerified } = account;
  const row = {
    id: randomUUID(),
    email: email.value,
    passwordHash: passwordHash.value,
    role,
    isEmailVerified,
  };
  try {
    return await db.tx(async (tx) => {
      const checked = await checkActor(tx, actor);
      if (!checked.ok) return checked;
      const user = await store.insertUser(tx, row);
      if (!user) throw new Error('an inserted user was not returned');
      const line = { action: 'user.create', target: user.id, result: 'ok', details: { role } };
      if (actor) await appendAudit(tx, actor, line);
      return succeed(user);
    });
  } catch (err) {
    if (!store.isEmailTaken(err)) throw err;
    return refuse('EMAIL_TAKEN', `there is an account for ${email.value} already`, {
      field: 'email',
      email: email.value,
    });
  }
}

/**
 * Staff who were signed out, disabled or given another role meanwhile create no account any more.
 */
async function checkActor(tx: Tx, actor: AuditActor | undefined): Promise<Result<void>> {
  if (actor?.principal.kind !== 'user') return succeed(undefined);
  const { userId, role } = actor.principal;
  const user = await lockUser(tx, userId);
  if (!user || user.isDisabled || user.role !== role) return sessionEnded;
  return checkSession(tx, actor.principal);
}
