import { resetTotpOnHost } from '../auth/index.ts';
import type { Outcome } from '../fault.ts';
import type { HostRun } from './host-run.ts';
import { withDatabase } from './service-database.ts';

type Reset = {
  readonly user: { readonly id: string; readonly email: string };
  readonly revokedSessions: number;
};

/** Removes a second factor straight in the auth database, for a user who lost device and codes. */
export function resetTotp(
  run: HostRun,
  account: { readonly email: string },
): Promise<Outcome<Reset>> {
  const isMailOn = run.config.smtp !== undefined;
  return withDatabase('auth', run, (db) => resetTotpOnHost(db, account, isMailOn));
}
