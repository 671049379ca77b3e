import type { Command } from 'commander';

import { resetPasswordOnHost } from '../auth/index.ts';
import { addExamples, type CommandLine } from './command-line.ts';
import type { HostRun } from './host-run.ts';
import { printFault, printLine } from './print.ts';
import { addPasswordOption, readPassword, type PasswordOptions } from './read-password.ts';
import { findNoDatabaseFault, withDatabase } from './service-database.ts';

type ResetOptions = PasswordOptions & { readonly email: string; readonly keepApiKeys?: boolean };

/** Adds `walletd users reset-password`. */
export function addUsersResetPassword(users: Command, { withConfig, stop }: CommandLine): void {
  const command = users
    .command('reset-password')
    .description(
      'set a new password, asked for like that of create; ends all sign-ins and all API keys',
    )
    .requiredOption('--email <email>', 'whose password (required)')
    .option('--keep-api-keys', 'let the API keys of the account go on');
  addPasswordOption(command).action(
    withConfig((run, options: ResetOptions) => runResetPassword(run, options, stop), {
      databases: ['auth'],
    }),
  );
  addExamples(command, [
    'walletd users reset-password --email ana@example.com',
    'walletd users reset-password --email ana@example.com --keep-api-keys --password-stdin < password.txt',
  ]);
}

/**
 * Sets a password straight in the auth database: the way back in for an admin who forgot theirs.
 */
async function runResetPassword(
  run: HostRun,
  options: ResetOptions,
  stop: CommandLine['stop'],
): Promise<number> {
  const missing = await findNoDatabaseFault('auth', run.config);
  if (missing) return printFault(missing);
  const password = await readPassword(options, stop);
  if (typeof password === 'number') return password;
  const account = { email: options.email, password, keepApiKeys: options.keepApiKeys === true };
  const isMailOn = run.config.smtp !== undefined;
  const reset = await withDatabase('auth', run, (db) => resetPasswordOnHost(db, account, isMailOn));
  if (!reset.ok) return printFault(reset.fault);
  const { user, revokedSessions, revokedApiKeys, keptApiKeys } = reset.value;
  printLine(
    `walletd: set the password of ${user.email} (${user.id}); sign-ins ended: ${revokedSessions}, ` +
      `API keys ended: ${revokedApiKeys}, API keys that go on: ${keptApiKeys}`,
  );
  if (keptApiKeys > 0) {
    printLine('hint: to end the API keys too, run the command again without --keep-api-keys');
  }
  if (user.isDisabled) printLine('hint: the account is disabled still; an admin can enable it');
  return 0;
}
