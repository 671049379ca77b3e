import type { Command } from 'commander';

import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { createListPrinter } from '../../output/print.ts';
import { walletColumns } from './columns.ts';
import { printPages } from '../shared/paging.ts';
import { readUserList, type UserListOptions } from '../shared/user-list.ts';
import { addPageOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { toWalletJson } from '../../../lib/json/transactions.ts';

/** Adds `wallet wallets list`. */
export function addWalletsList(wallets: Command, start: Start): void {
  const list = wallets
    .command('list')
    .description('list wallets: your own, or all wallets for staff')
    .option('--user <USER>', 'of this user: e-mail address or id');
  addPageOptions(list)
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet wallets list
  wallet wallets list --user ana@example.com --json`,
    )
    .action(async (options: UserListOptions, command: Command) => {
      await start(command, (context) => runWalletsList(context, options));
    });
}

/** `wallet wallets list`: a customer's own; for staff all wallets, or those of one user. */
async function runWalletsList(context: Context, options: UserListOptions): Promise<CommandOutcome> {
  const query = await readUserList(context, options);
  if (!query.ok) return query;
  const { userId, ...range } = query.value;
  const columns = walletColumns(context.settings.timezone);
  const list = createListPrinter(context, columns, toWalletJson);
  return printPages(
    context,
    list,
    { ...range, ifEmpty: 'no wallets yet: the first deposit creates one' },
    async (pageSize, token) => {
      const request = { userId, pageSize, pageToken: token };
      const listed = await context.caller.call(WalletServiceService.listWallets, request, 'read');
      if (!listed.ok) return listed;
      const { wallets, nextPageToken } = listed.value;
      return succeed({
        rows: wallets.map((wallet) => ({ wallet, isDryRun: false })),
        nextPageToken,
      });
    },
  );
}
