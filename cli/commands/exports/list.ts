import type { Command } from 'commander';

import { StatementServiceService } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { exportColumns } from './columns.ts';
import { createListPrinter } from '../../output/print.ts';
import { printPages } from '../shared/paging.ts';
import { readUserList, type UserListOptions } from '../shared/user-list.ts';
import { addPageOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { toExportJson } from '../../../lib/json/exports.ts';

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
  const query = await readUserList(context, options);
  if (!query.ok) return query;
  const { userId, ...range } = query.value;
  const columns = exportColumns(context.settings.timezone);
  const list = createListPrinter(context, columns, toExportJson);
  const shown = { ...range, ifEmpty: 'no exports yet: wallet statement export' };
  return printPages(context, list, shown, async (pageSize, pageToken) => {
    const method = StatementServiceService.listExports;
    const listed = await context.caller.call(method, { userId, pageSize, pageToken }, 'read');
    if (!listed.ok) return listed;
    const { exports, nextPageToken } = listed.value;
    return succeed({ rows: exports.map((made) => ({ made })), nextPageToken });
  });
}
