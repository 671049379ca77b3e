import { resetPasswordOnHost, type HostReset } from '../auth/index.ts';
import type { Config } from '../config.ts';
import type { Outcome } from '../fault.ts';
import type { Log } from '../platform/log.ts';
import { withDatabase } from './service-database.ts';

export type PasswordReset = {
  readonly email: string;
  readonly password: string;
  readonly keepApiKeys: boolean;
};

/** Sets a password straight in the auth database: the way back in for an admin who forgot theirs. */
export function resetPassword(
  config: Config,
  reset: PasswordReset,
  log: Log,
): Promise<Outcome<HostReset>> {
  const isMailOn = config.smtp !== undefined;
  return withDatabase('auth', config, log, (db) => resetPasswordOnHost(db, reset, isMailOn));
}
