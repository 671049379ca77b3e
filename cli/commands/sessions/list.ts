import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { fetchSessions } from './shared.ts';
import type { CommandOutcome } from '../../outcome.ts';
import { sessionColumns } from './columns.ts';
import { openList, printPages, type UserListOptions } from '../shared/paging.ts';
import { resolveUser } from '../users/actor.ts';
import { addPageOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { toSessionJson } from '../../../lib/json/accounts.ts';

/** Adds `wallet sessions list`. */
export function addSessionsList(sessions: Command, start: Start): void {
  const list = sessions
    .command('list')
    .description('list sessions; the one in use is marked')
    .option('--user <USER>', 'of this user: e-mail address or id (staff)');
  addPageOptions(list)
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet sessions list
  wallet sessions list --user ana@example.com`,
    )
    .action(async (options: UserListOptions, command: Command) => {
      await start(command, (context) => runSessionsList(context, options));
    });
}

/** `wallet sessions list`: where the caller, or a user that staff name, is signed in. */
async function runSessionsList(
  context: Context,
  options: UserListOptions,
): Promise<CommandOutcome> {
  const columns = sessionColumns(context.settings.timezone);
  const list = openList(context, options, columns, toSessionJson);
  if (!list.ok) return list;
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const fetch = fetchSessions(context, user.value?.id ?? '');
  return printPages(context, list.value, { ifEmpty: 'no sessions', fetch });
}
