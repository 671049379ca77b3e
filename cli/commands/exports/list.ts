import { StatementServiceService } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { exportColumns, toExportJson } from '../../output/exports.ts';
import { createListPrinter } from '../../output/print.ts';
import { checkLimit, printPages, type PageOptions } from '../../input/paging.ts';
import { resolveUser } from '../users/actor.ts';

export type ExportsListOptions = PageOptions & { readonly user?: string };

/** `wallet exports list`: of one's own wallets, for staff of everybody's unless they name one. */
export async function runExportsList(
  context: Context,
  options: ExportsListOptions,
): Promise<CommandOutcome> {
  const limit = checkLimit(options);
  if (!limit.ok) return limit;
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const userId = user.value?.id ?? '';
  const columns = exportColumns(context.settings.timezone);
  const list = createListPrinter(context, columns, toExportJson);
  const paging = {
    limit: limit.value,
    pageToken: options.pageToken ?? '',
    ifEmpty: 'no exports yet: wallet statement export',
  };
  return printPages(context, list, paging, async (pageSize, pageToken) => {
    const method = StatementServiceService.listExports;
    const listed = await context.caller.call(method, { userId, pageSize, pageToken }, 'read');
    if (!listed.ok) return listed;
    const { exports, nextPageToken } = listed.value;
    return succeed({ rows: exports.map((made) => ({ made })), nextPageToken });
  });
}
