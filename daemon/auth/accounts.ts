import { randomUUID } from 'node:crypto';

import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type { Role } from '../../core/roles.ts';
import type { Db } from '../platform/db.ts';
import { canonicalizeEmail, canonicalizePassword, type User } from './domain.ts';
import type { Passwords } from './passwords.ts';
import * as store from './store.ts';

/** Opens an account: EMAIL_INVALID, PASSWORD_INVALID, EMAIL_TAKEN. */
export async function createAccount(
  { db, passwords }: { readonly db: Db; readonly passwords: Passwords },
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
  const passwordHash = await passwords.hash(password.value);
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
    const user = await db.tx((tx) => store.insertUser(tx, row));
    if (!user) throw new Error('an inserted user was not returned');
    return succeed(user);
  } catch (err) {
    if (!store.isEmailTaken(err)) throw err;
    return refuse('EMAIL_TAKEN', `there is an account for ${email.value} already`, {
      field: 'email',
      email: email.value,
    });
  }
}
