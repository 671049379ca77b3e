import type { Command } from 'commander';

import type { UsersCreateOptions } from '../commands/users/create.ts';
import type { UsersListOptions } from '../commands/users/list.ts';
import { addPageOptions, addZoneOption } from './options.ts';
import type { Start } from './start.ts';

/** users list|show|create|set-role|disable|enable|revoke-all. */
export function addUsersCommands(program: Command, start: Start): void {
  const users = program.command('users').description('manage accounts (staff)');
  addReads(users, start);
  addCreate(users, start);
  addChanges(users, start);
}

function addReads(users: Command, start: Start): void {
  const list = users
    .command('list')
    .description('list accounts')
    .option('--role <ROLE>', 'only customers, operators or admins: customer, operator or admin')
    .option('--email <EMAIL>', 'only the account with this address, verified or not');
  addZoneOption(addPageOptions(list))
    .addHelpText(
      'after',
      `
Examples:
  wallet users list
  wallet users list --role admin --all
  wallet users list --email ana@example.com --json`,
    )
    .action(async (options: UsersListOptions, command: Command) => {
      await start(command, async (context) => {
        const { runUsersList } = await import('../commands/users/list.ts');
        return runUsersList(context, options);
      });
    });

  addZoneOption(users.command('show').description('show one account'))
    .argument('<USER>', 'e-mail address, verified or not, or id')
    .addHelpText('after', '\nExamples:\n  wallet users show ana@example.com')
    .action(async (user: string, _options: unknown, command: Command) => {
      await start(command, async (context) => {
        const { runUsersShow } = await import('../commands/users/show.ts');
        return runUsersShow(context, user);
      });
    });
}

function addCreate(users: Command, start: Start): void {
  users
    .command('create')
    .description('create an account')
    .option('--email <EMAIL>', 'e-mail address (asked for if missing)')
    .option('--role <ROLE>', 'customer, operator or admin (default customer)')
    .option('--password-stdin', 'read the password from the first line of stdin')
    .addHelpText(
      'after',
      `
Examples:
  wallet users create --email ana@example.com
  wallet users create --email op@example.com --role operator --password-stdin < password.txt`,
    )
    .action(async (options: UsersCreateOptions, command: Command) => {
      await start(command, async (context) => {
        const { runUsersCreate } = await import('../commands/users/create.ts');
        return runUsersCreate(context, options);
      });
    });
}

function addChanges(users: Command, start: Start): void {
  users
    .command('set-role')
    .description('change what an account may do (admins)')
    .argument('<USER>', 'e-mail address or id')
    .argument('<ROLE>', 'customer, operator or admin')
    .addHelpText('after', '\nExamples:\n  wallet users set-role ana@example.com operator')
    .action(async (user: string, role: string, _options: unknown, command: Command) => {
      await start(command, async (context) => {
        const { runUsersSetRole } = await import('../commands/users/set-role.ts');
        return runUsersSetRole(context, user, role);
      });
    });

  users
    .command('disable')
    .description('end all sessions of an account and keep it from signing in (admins)')
    .argument('<USER>', 'e-mail address or id')
    .addHelpText('after', '\nExamples:\n  wallet users disable ana@example.com')
    .action(async (user: string, _options: unknown, command: Command) => {
      await start(command, async (context) => {
        const { runUsersDisable } = await import('../commands/users/disable.ts');
        return runUsersDisable(context, user);
      });
    });

  users
    .command('enable')
    .description('let a disabled account sign in again (admins)')
    .argument('<USER>', 'e-mail address or id')
    .addHelpText('after', '\nExamples:\n  wallet users enable ana@example.com')
    .action(async (user: string, _options: unknown, command: Command) => {
      await start(command, async (context) => {
        const { runUsersEnable } = await import('../commands/users/disable.ts');
        return runUsersEnable(context, user);
      });
    });

  users
    .command('revoke-all')
    .description('end all sessions and API keys of an account (admins; without USER your own)')
    .argument('[USER]', 'e-mail address or id')
    .addHelpText('after', '\nExamples:\n  wallet users revoke-all ana@example.com')
    .action(async (user: string | undefined, _options: unknown, command: Command) => {
      await start(command, async (context) => {
        const { runUsersRevokeAll } = await import('../commands/users/revoke-all.ts');
        return runUsersRevokeAll(context, user);
      });
    });
}
