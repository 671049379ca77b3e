import type { Command } from 'commander';

import { changeAccount } from './change-account.ts';
import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet users disable`. */
export function addUsersDisable(users: Command, start: Start): void {
  users
    .command('disable')
    .description('end all sessions of an account and block its sign-in (admins)')
    .argument('<USER>', 'e-mail address or id')
    .addHelpText('after', '\nExamples:\n  wallet users disable ana@example.com')
    .action(async (user: string, _options: unknown, command: Command) => {
      await start(command, (context) => runUsersDisable(context, user));
    });
}

/** `wallet users disable` */
function runUsersDisable(context: Context, user: string): Promise<CommandOutcome> {
  return changeAccount(context, user, {
    changes: { disabled: true },
    describe: () => ['disable', 'its sessions end, and its API keys stop working'],
    question: (email) => `Disable ${email}?`,
  });
}
