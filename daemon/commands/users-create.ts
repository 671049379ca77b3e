import type { Role } from '../../core/roles.ts';
import { createUserOnHost } from '../auth/index.ts';
import type { Config } from '../config.ts';
import type { Outcome } from '../fault.ts';
import type { Log } from '../platform/log.ts';
import { withDatabase } from './service-database.ts';

export type NewUser = {
  readonly email: string;
  readonly password: string;
  readonly role: Role;
};

/** Makes an account straight in the auth database: the way to the first admin. */
export function createUser(
  config: Config,
  user: NewUser,
  log: Log,
): Promise<Outcome<{ readonly id: string; readonly email: string; readonly role: string }>> {
  return withDatabase('auth', config, log, (db) => createUserOnHost(db, user));
}
