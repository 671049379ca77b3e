import { resetPasswordOnHost, type HostReset } from '../auth/index.ts';
import type { Outcome } from '../fault.ts';
import type { HostRun } from './host-run.ts';
import { withDatabase } from './service-database.ts';

export type PasswordReset = {
  readonly email: string;
  readonly password: string;
  readonly keepApiKeys: boolean;
};

/**
 * Sets a password straight in the auth database: the way back in for an admin who forgot theirs.
 */
export function resetPassword(run: HostRun, reset: PasswordReset): Promise<Outcome<HostReset>> {
  const isMailOn = run.config.smtp !== undefined;
  return withDatabase('auth', run, (db) => resetPasswordOnHost(db, reset, isMailOn));
}
