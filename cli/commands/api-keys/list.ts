import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { apiKeyColumns, toApiKeyJson } from '../../output/api-keys.ts';
import { createListPrinter } from '../../output/print.ts';
import { checkLimit, printPages, type PageOptions } from '../../input/paging.ts';
import { resolveUser } from '../users/actor.ts';

export type ApiKeysListOptions = PageOptions & { readonly user?: string };

/** `wallet api-keys list`: the caller's, or those of a user that staff name; never a secret. */
export async function runApiKeysList(
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
