import type { Command } from 'commander';

import { StatementServiceService } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { exportColumns, toOwnedExportJson } from './columns.ts';
import { openList, printPages, type UserListOptions } from '../shared/paging.ts';
import { resolveUser } from '../users/actor.ts';
import { addPageOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { createEmailFinder } from '../users/emails.ts';

/** Adds `wallet exports list`. */
export function addExportsList(exports: Command, start: Start): void {
  const list = exports.command('list').description('list exports, newest first');
  list.option('--user <USER>', 'of this user: e-mail address or id (staff: default all users)');
  addPageOptions(list)
    .option(...zoneOption)
    .addHelpText('after', '\nExamples:\n  wallet exports list\n  wallet exports list --all --json')
    .action(async (options: UserListOptions, command: Command) => {
      await start(command, (context) => runExportsList(context, options));
    });
}

/** `wallet exports list`: of one's own wallets; for staff of all wallets, or of one user. */
async function runExportsList(context: Context, options: UserListOptions): Promise<CommandOutcome> {
  const columns = exportColumns(context.settings.timezone);
  const list = openList(context, options, columns, toOwnedExportJson);
  if (!list.ok) return list;
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const userId = user.value?.id ?? '';
  const findEmails = createEmailFinder(context);
  const fetch = async (pageSize: number, pageToken: string) => {
    const method = StatementServiceService.listExports;
    const listed = await context.caller.call(
      method,
      { userId, idPrefix: '', pageSize, pageToken },
      'read',
    );
    if (!listed.ok) return listed;
    const { exports, nextPageToken } = listed.value;
    const emails = await findEmails(exports.map((made) => made.userId));
    const rows = exports.map((made) => ({ made, userEmail: emails.get(made.userId) }));
    return succeed({ rows, nextPageToken });
  };
  return printPages(context, list.value, {
    ifEmpty: 'no exports yet: wallet statement export',
    fetch,
  });
}
