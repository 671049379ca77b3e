import type { Command } from 'commander';

import { findAccount } from './accounts.ts';
import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import { userColumns } from './columns.ts';
import { zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { toUserJson } from '../../../lib/json/accounts.ts';

/** Adds `wallet users show`. */
export function addUsersShow(users: Command, start: Start): void {
  users
    .command('show')
    .description('show one account')
    .option(...zoneOption)
    .argument('<USER>', 'e-mail address, verified or not, or id')
    .addHelpText('after', '\nExamples:\n  wallet users show ana@example.com')
    .action(async (user: string, _options: unknown, command: Command) => {
      await start(command, (context) => runUsersShow(context, user));
    });
}

/** `wallet users show`: one account by id or address, verified or not. */
async function runUsersShow(context: Context, user: string): Promise<CommandOutcome> {
  const found = await findAccount(context, user);
  if (!found.ok) return found;
  await printObject(context, found.value, userColumns(context.settings.timezone), toUserJson);
  return done;
}
