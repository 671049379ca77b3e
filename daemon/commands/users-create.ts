import type { Role } from '../../core/roles.ts';
import { createUserOnHost } from '../auth/index.ts';
import type { Outcome } from '../fault.ts';
import type { HostRun } from './host-run.ts';
import { withDatabase } from './service-database.ts';

export type NewUser = {
  readonly email: string;
  readonly password: string;
  readonly role: Role;
};

/** Makes an account straight in the auth database: the way to the first admin. */
export function createUser(
  run: HostRun,
  user: NewUser,
): Promise<Outcome<{ readonly id: string; readonly email: string; readonly role: string }>> {
  return withDatabase('auth', run, (db) => createUserOnHost(db, user));
}
