import { Option, type Command } from 'commander';

import { roles, type Role } from '../../core/roles.ts';
import { createUserOnHost } from '../auth/index.ts';
import { addExamples, type CommandLine } from './command-line.ts';
import type { HostRun } from './host-run.ts';
import { printFault, printLine } from './print.ts';
import { addPasswordOption, readPassword, type PasswordOptions } from './read-password.ts';
import { findNoDatabaseFault, withDatabase } from './service-database.ts';

type CreateOptions = PasswordOptions & { readonly email: string; readonly role: Role };

/** Adds `walletd users create`. */
export function addUsersCreate(users: Command, { withConfig, stop }: CommandLine): void {
  const command = users
    .command('create')
    .description('create an account; asks for the password, or reads it from standard input')
    .requiredOption('--email <email>', 'the address to sign in with (required)')
    .addOption(
      new Option('--role <role>', 'what the user may do (required)')
        .choices(roles)
        .makeOptionMandatory(),
    );
  addPasswordOption(command).action(
    withConfig((run, options: CreateOptions) => runUsersCreate(run, options, stop), {
      databases: ['auth'],
    }),
  );
  addExamples(command, [
    'walletd users create --email ana@example.com --role admin',
    'walletd users create --email ana@example.com --role operator --password-stdin < password.txt',
  ]);
}

/** Creates an account straight in the auth database: the way to the first admin. */
async function runUsersCreate(
  run: HostRun,
  options: CreateOptions,
  stop: CommandLine['stop'],
): Promise<number> {
  const missing = await findNoDatabaseFault('auth', run.config);
  if (missing) return printFault(missing);
  const password = await readPassword(options, stop);
  if (typeof password === 'number') return password;
  const { email, role } = options;
  const created = await withDatabase('auth', run, (db) =>
    createUserOnHost(db, { email, role, password }),
  );
  if (!created.ok) return printFault(created.fault);
  const { id } = created.value;
  printLine(`walletd: created ${created.value.role} ${created.value.email} (${id})`);
  return 0;
}
