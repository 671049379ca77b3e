import type { Command } from 'commander';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { apiKeyColumns, toApiKeyJson } from './columns.ts';
import { createListPrinter } from '../../output/print.ts';
import { checkLimit, printPages, type PageOptions } from '../shared/paging.ts';
import { resolveUser } from '../users/actor.ts';
import { addPageOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';

type ApiKeysListOptions = PageOptions & { readonly user?: string };

/** Adds `wallet api-keys list`. */
export function addApiKeysList(apiKeys: Command, start: Start): void {
  const list = apiKeys
    .command('list')
    .description('list API keys, without their secrets')
    .option('--user <USER>', 'of this user: e-mail address or id (admins)');
  addPageOptions(list)
    .option(...zoneOption)
    .addHelpText('after', '\nExamples:\n  wallet api-keys list')
    .action(async (options: ApiKeysListOptions, command: Command) => {
      await start(command, (context) => runApiKeysList(context, options));
    });
}

/** `wallet api-keys list`: the caller's, or those of a user that staff name; never a secret. */
async function runApiKeysList(
  context: Context,
  options: ApiKeysListOptions,
): Promise<CommandOutcome> {
  const limit = checkLimit(options);
  if (!limit.ok) return limit;
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const ownerId = user.value?.id ?? '';
  const columns = apiKeyColumns(context.settings.timezone, context.clock.now());
  const list = createListPrinter(context, columns, toApiKeyJson);
  const { pageToken = '' } = options;
  return printPages(
    context,
    list,
    { limit: limit.value, pageToken, ifEmpty: 'no API keys' },
    async (pageSize, token) => {
      const request = { ownerId, pageSize, pageToken: token };
      const listed = await context.caller.call(AuthServiceService.listApiKeys, request, 'read');
      if (!listed.ok) return listed;
      const { apiKeys, nextPageToken } = listed.value;
      return succeed({ rows: apiKeys, nextPageToken });
    },
  );
}
