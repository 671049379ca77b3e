import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { createListPrinter } from '../../output/print.ts';
import { sessionColumns, toSessionJson } from '../../output/sessions.ts';
import { checkLimit, printPages, type PageOptions } from '../../input/paging.ts';
import { resolveUser } from '../users/actor.ts';

export type SessionsListOptions = PageOptions & { readonly user?: string };

/** `wallet sessions list`: where the caller, or a user that staff name, is signed in. */
export async function runSessionsList(
  context: Context,
  options: SessionsListOptions,
): Promise<CommandOutcome> {
  const limit = checkLimit(options);
  if (!limit.ok) return limit;
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const userId = user.value?.id ?? '';
  const columns = sessionColumns(context.settings.timezone);
  const list = createListPrinter(context, columns, toSessionJson);
  const { pageToken = '' } = options;
  return printPages(
    context,
    list,
    { limit: limit.value, pageToken, ifEmpty: 'no sessions' },
    async (pageSize, token) => {
      const request = { userId, pageSize, pageToken: token };
      const listed = await context.caller.call(AuthServiceService.listSessions, request, 'read');
      if (!listed.ok) return listed;
      const { sessions, nextPageToken } = listed.value;
      return succeed({ rows: sessions, nextPageToken });
    },
  );
}
