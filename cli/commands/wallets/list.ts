import type { Command } from 'commander';

import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { toOwnedWalletJson, walletColumns } from './columns.ts';
import { openList, printPages, type UserListOptions } from '../shared/paging.ts';
import { resolveUser } from '../users/actor.ts';
import { addPageOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { createEmailFinder } from '../users/emails.ts';

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
  const columns = walletColumns(context.settings.timezone);
  const list = openList(context, options, columns, toOwnedWalletJson);
  if (!list.ok) return list;
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const userId = user.value?.id ?? '';
  const findEmails = createEmailFinder(context);
  const fetch = async (pageSize: number, pageToken: string) => {
    const method = WalletServiceService.listWallets;
    const listed = await context.caller.call(method, { userId, pageSize, pageToken }, 'read');
    if (!listed.ok) return listed;
    const { wallets, nextPageToken } = listed.value;
    const emails = await findEmails(wallets.map((wallet) => wallet.userId));
    const rows = wallets.map((wallet) => ({
      ...{ wallet, isDryRun: false },
      userEmail: emails.get(wallet.userId),
    }));
    return succeed({ rows, nextPageToken });
  };
  return printPages(context, list.value, {
    ifEmpty: 'no wallets yet: the first deposit creates one',
    fetch,
  });
}
