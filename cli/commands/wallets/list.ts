import type { Command } from 'commander';

import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { createListPrinter } from '../../output/print.ts';
import { toWalletJson, walletColumns } from './columns.ts';
import { checkLimit, printPages, type PageOptions } from '../shared/paging.ts';
import { resolveUser } from '../users/actor.ts';
import { addPageOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';

type WalletsListOptions = PageOptions & { readonly user?: string };

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
    .action(async (options: WalletsListOptions, command: Command) => {
      await start(command, (context) => runWalletsList(context, options));
    });
}

/** `wallet wallets list`: a customer's own; for staff all wallets, or those of one user. */
async function runWalletsList(
  context: Context,
  options: WalletsListOptions,
): Promise<CommandOutcome> {
  const limit = checkLimit(options);
  if (!limit.ok) return limit;
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const userId = user.value?.id ?? '';
  const columns = walletColumns(context.settings.timezone);
  const list = createListPrinter(context, columns, toWalletJson);
  const { pageToken = '' } = options;
  return printPages(
    context,
    list,
    { limit: limit.value, pageToken, ifEmpty: 'no wallets yet: the first deposit creates one' },
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
