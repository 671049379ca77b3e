import type { Command } from 'commander';

import { checkRole } from './accounts.ts';
import { changeAccount } from './change-account.ts';
import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import type { Start } from '../shared/start.ts';
import { nameRole } from '../../../lib/json/names.ts';

/** Adds `wallet users set-role`. */
export function addUsersSetRole(users: Command, start: Start): void {
  users
    .command('set-role')
    .description('change the role of an account (admins)')
    .argument('<USER>', 'e-mail address or id')
    .argument('<ROLE>', 'customer, operator or admin')
    .addHelpText('after', '\nExamples:\n  wallet users set-role ana@example.com operator')
    .action(async (user: string, role: string, _options: unknown, command: Command) => {
      await start(command, (context) => runUsersSetRole(context, user, role));
    });
}

/** `wallet users set-role`: what the account may do from now on. */
async function runUsersSetRole(
  context: Context,
  user: string,
  roleText: string,
): Promise<CommandOutcome> {
  const role = checkRole(roleText);
  if (!role.ok) return role;
  return changeAccount(context, user, {
    changes: { role: role.value },
    describe: (found) => ['role', `${nameRole(found.role)} -> ${role.value}`],
    question: (email) => `Make ${email} ${role.value === 'customer' ? 'a' : 'an'} ${role.value}?`,
  });
}
