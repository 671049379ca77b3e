import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { fetchApiKeys } from './shared.ts';
import type { CommandOutcome } from '../../outcome.ts';
import { apiKeyColumns } from './columns.ts';
import { openList, printPages, type UserListOptions } from '../shared/paging.ts';
import { resolveUser } from '../users/actor.ts';
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
  const columns = apiKeyColumns(context.settings.timezone, context.clock.now());
  const list = openList(context, options, columns, toApiKeyJson);
  if (!list.ok) return list;
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const fetch = fetchApiKeys(context, user.value?.id ?? '');
  return printPages(context, list.value, { ifEmpty: 'no API keys', fetch });
}
