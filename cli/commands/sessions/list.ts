import type { Command } from 'commander';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { createListPrinter } from '../../output/print.ts';
import { sessionColumns } from './columns.ts';
import { printPages } from '../shared/paging.ts';
import { readUserList, type UserListOptions } from '../shared/user-list.ts';
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
  const query = await readUserList(context, options);
  if (!query.ok) return query;
  const { userId, ...range } = query.value;
  const columns = sessionColumns(context.settings.timezone);
  const list = createListPrinter(context, columns, toSessionJson);
  return printPages(
    context,
    list,
    { ...range, ifEmpty: 'no sessions' },
    async (pageSize, token) => {
      const request = { userId, pageSize, pageToken: token };
      const listed = await context.caller.call(AuthServiceService.listSessions, request, 'read');
      if (!listed.ok) return listed;
      const { sessions, nextPageToken } = listed.value;
      return succeed({ rows: sessions, nextPageToken });
    },
  );
}
