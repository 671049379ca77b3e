import type { Command } from 'commander';

import { resetTotpOnHost } from '../auth/index.ts';
import { addExamples, type CommandLine } from './command-line.ts';
import type { HostRun } from './host-run.ts';
import { printFault, printLine } from './print.ts';
import { withDatabase } from './service-database.ts';

/** Adds `walletd users reset-totp`. */
export function addUsersResetTotp(users: Command, { withConfig }: CommandLine): void {
  const command = users
    .command('reset-totp')
    .description('remove the second factor of an account; ends all sign-ins')
    .requiredOption('--email <email>', 'whose second factor (required)')
    .action(withConfig(runResetTotp, { databases: ['auth'] }));
  addExamples(command, ['walletd users reset-totp --email ana@example.com']);
}

/** Removes a second factor straight in the auth database, for a user who lost device and codes. */
async function runResetTotp(run: HostRun, account: { readonly email: string }): Promise<number> {
  const isMailOn = run.config.smtp !== undefined;
  const reset = await withDatabase('auth', run, (db) => resetTotpOnHost(db, account, isMailOn));
  if (!reset.ok) return printFault(reset.fault);
  const { user, revokedSessions } = reset.value;
  const ended = `sign-ins ended: ${revokedSessions}`;
  printLine(`walletd: removed the second factor of ${user.email} (${user.id}); ${ended}`);
  return 0;
}
