import { resetPasswordOnHost } from '../auth/index.ts';
import type { Config } from '../config.ts';
import type { Outcome } from '../fault.ts';
import type { Log } from '../platform/log.ts';
import { withAuthDatabase } from './auth-database.ts';

type Reset = {
  readonly user: { readonly id: string; readonly email: string; readonly isDisabled: boolean };
  readonly endedSessions: number;
};

/** Sets a password straight in the auth database: the way back in for an admin who forgot theirs. */
export function resetPassword(
  config: Config,
  account: { readonly email: string; readonly password: string },
  log: Log,
): Promise<Outcome<Reset>> {
  return withAuthDatabase(config, log, (db) => resetPasswordOnHost(db, account));
}
