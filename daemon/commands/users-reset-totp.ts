import { resetTotpOnHost } from '../auth/index.ts';
import type { Config } from '../config.ts';
import type { Outcome } from '../fault.ts';
import type { Log } from '../platform/log.ts';
import { withDatabase } from './service-database.ts';

type Reset = {
  readonly user: { readonly id: string; readonly email: string };
  readonly endedSessions: number;
};

/** Removes a second factor straight in the auth database, for whoever lost device and codes. */
export function resetTotp(
  config: Config,
  account: { readonly email: string },
  log: Log,
): Promise<Outcome<Reset>> {
  const isMailOn = config.smtp !== undefined;
  return withDatabase('auth', config, log, (db) => resetTotpOnHost(db, account, isMailOn));
}
