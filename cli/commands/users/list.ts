import type { Command } from 'commander';

import { AuthServiceService, Role } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { checkRole } from './accounts.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { userColumns } from './columns.ts';
import { openList, printPages, type PageOptions } from '../shared/paging.ts';
import { addPageOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { toUserJson } from '../../../lib/json/accounts.ts';
import { roleNumbers } from '../../../lib/json/names.ts';

type UsersListOptions = PageOptions & { readonly role?: string; readonly email?: string };

/** Adds `wallet users list`. */
export function addUsersList(users: Command, start: Start): void {
  const list = users
    .command('list')
    .description('list accounts')
    .option('--role <ROLE>', 'only accounts with this role: customer, operator or admin')
    .option('--email <EMAIL>', 'only the account with this address, verified or not');
  addPageOptions(list)
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet users list
  wallet users list --role admin --all
  wallet users list --email ana@example.com --json`,
    )
    .action(async (options: UsersListOptions, command: Command) => {
      await start(command, (context) => runUsersList(context, options));
    });
}

/** `wallet users list` */
async function runUsersList(context: Context, options: UsersListOptions): Promise<CommandOutcome> {
  const list = openList(context, options, userColumns(context.settings.timezone), toUserJson);
  if (!list.ok) return list;
  const role = options.role === undefined ? undefined : checkRole(options.role);
  if (role && !role.ok) return role;
  const filter = {
    role: role ? roleNumbers[role.value] : Role.UNSPECIFIED,
    email: options.email ?? '',
  };
  const fetch = async (pageSize: number, pageToken: string) => {
    const request = { ...filter, pageSize, pageToken };
    const listed = await context.caller.call(AuthServiceService.listUsers, request, 'read');
    if (!listed.ok) return listed;
    const { users, nextPageToken } = listed.value;
    return succeed({ rows: users, nextPageToken });
  };
  return printPages(context, list.value, { ifEmpty: 'no accounts', fetch });
}
