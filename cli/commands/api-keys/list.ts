import type { Command } from 'commander';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { apiKeyColumns } from './columns.ts';
import { createListPrinter } from '../../output/print.ts';
import { printPages } from '../shared/paging.ts';
import { readUserList, type UserListOptions } from '../shared/user-list.ts';
import { addPageOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { toApiKeyJson } from '../../../lib/json/accounts.ts';

/** Adds `wallet api-keys list`. */
export function addApiKeysList(apiKeys: Command, start: Start): void {
  const list = apiKeys
    .command('list')
    .description('list API keys, without their secrets')
    .option('--user <USER>', 'of this user: e-mail address or id (admins)');
  addPageOptions(list)
    .option(...zoneOption)
    .addHelpText('after', '\nExamples:\n  wallet api-keys list')
    .action(async (options: UserListOptions, command: Command) => {
      await start(command, (context) => runApiKeysList(context, options));
    });
}

/** `wallet api-keys list`: the caller's, or those of a user that staff name; never a secret. */
async function runApiKeysList(context: Context, options: UserListOptions): Promise<CommandOutcome> {
  const query = await readUserList(context, options);
  if (!query.ok) return query;
  const { userId: ownerId, ...range } = query.value;
  const columns = apiKeyColumns(context.settings.timezone, context.clock.now());
  const list = createListPrinter(context, columns, toApiKeyJson);
  return printPages(
    context,
    list,
    { ...range, ifEmpty: 'no API keys' },
    async (pageSize, token) => {
      const request = { ownerId, pageSize, pageToken: token };
      const listed = await context.caller.call(AuthServiceService.listApiKeys, request, 'read');
      if (!listed.ok) return listed;
      const { apiKeys, nextPageToken } = listed.value;
      return succeed({ rows: apiKeys, nextPageToken });
    },
  );
}
