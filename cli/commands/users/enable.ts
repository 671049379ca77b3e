import type { Command } from 'commander';

import { changeAccount } from './change-account.ts';
import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet users enable`. */
export function addUsersEnable(users: Command, start: Start): void {
  users
    .command('enable')
    .description('allow a disabled account to sign in again (admins)')
    .argument('<USER>', 'e-mail address or id')
    .addHelpText('after', '\nExamples:\n  wallet users enable ana@example.com')
    .action(async (user: string, _options: unknown, command: Command) => {
      await start(command, (context) => runUsersEnable(context, user));
    });
}

/** `wallet users enable` */
function runUsersEnable(context: Context, user: string): Promise<CommandOutcome> {
  return changeAccount(context, user, {
    changes: { disabled: false },
    describe: () => ['enable', 'it can sign in again'],
    question: (email) => `Enable ${email}?`,
  });
}
