import { AuthServiceService, Role } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { checkRole } from './accounts.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { roleNumbers } from '../../output/names.ts';
import { createListPrinter } from '../../output/print.ts';
import { toUserJson, userColumns } from '../../output/users.ts';
import { checkLimit, printPages, type PageOptions } from '../../input/paging.ts';

export type UsersListOptions = PageOptions & { readonly role?: string; readonly email?: string };

/** `wallet users list` */
export async function runUsersList(
  context: Context,
  options: UsersListOptions,
): Promise<CommandOutcome> {
  const limit = checkLimit(options);
  if (!limit.ok) return limit;
  const role = options.role === undefined ? undefined : checkRole(options.role);
  if (role && !role.ok) return role;
  const list = createListPrinter(context, userColumns(context.settings.timezone), toUserJson);
  const filter = {
    role: role ? roleNumbers[role.value] : Role.UNSPECIFIED,
    email: options.email ?? '',
  };
  const { pageToken = '' } = options;
  return printPages(
    context,
    list,
    { limit: limit.value, pageToken, ifEmpty: 'no accounts' },
    async (pageSize, token) => {
      const request = { ...filter, pageSize, pageToken: token };
      const listed = await context.caller.call(AuthServiceService.listUsers, request, 'read');
      if (!listed.ok) return listed;
      const { users, nextPageToken } = listed.value;
      return succeed({ rows: users, nextPageToken });
    },
  );
}
