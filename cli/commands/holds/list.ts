import type { Command } from 'commander';

import { findExponent } from '../../../core/currencies.ts';
import { holdStateNames, holdStateOf } from '../../../lib/json/holds.ts';
import {
  HoldState,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { failUnknown, succeed, type CommandOutcome } from '../../outcome.ts';
import { failUnknownCurrency } from '../money/command.ts';
import { addPageOptions, addWalletOptions, zoneOption } from '../shared/options.ts';
import { openList, printPages, type UserListOptions } from '../shared/paging.ts';
import type { Start } from '../shared/start.ts';
import { resolveUser } from '../users/actor.ts';
import { createEmailFinder } from '../users/emails.ts';
import { holdColumns, toOwnedHoldJson } from './columns.ts';

type HoldsListOptions = UserListOptions & {
  readonly currency?: string;
  readonly state?: string;
};

const maxPageSize = 500;

/** Adds `wallet holds list`. */
export function addHoldsList(holds: Command, start: Start): void {
  const list = holds.command('list').description('list holds of a wallet, the next to end first');
  addPageOptions(addWalletOptions(list))
    .option('--state <STATE>', `only these: ${holdStateNames.join(', ')}`)
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet holds list --state open
  wallet holds list --user ana@example.com --json

Staff who name no user list the holds of all wallets, in any
currency unless --currency is given. A hold whose time is over is
expired from that moment on.`,
    )
    .action(async (options: HoldsListOptions, command: Command) => {
      await start(command, (context) => runHoldsList(context, options));
    });
}

/** `wallet holds list`: those of one wallet; for staff without --user of all. */
async function runHoldsList(context: Context, options: HoldsListOptions): Promise<CommandOutcome> {
  const columns = holdColumns(context.settings.timezone);
  const list = openList(context, options, columns, toOwnedHoldJson);
  if (!list.ok) return list;
  const { state: stateName } = options;
  const state = stateName === undefined ? HoldState.UNSPECIFIED : holdStateOf(stateName);
  if (state === undefined) return failUnknown('state', stateName ?? '', holdStateNames);
  const currency = options.currency ?? context.settings.currency;
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const userId = user.value?.id ?? '';
  // The holds of all wallets are in all currencies, unless one is named.
  const filter = { userId, currency: userId ? currency : (options.currency ?? ''), state };
  const findEmails = createEmailFinder(context);
  const fetch = async (pageSize: number, pageToken: string) => {
    const method = WalletServiceService.listHolds;
    const listed = await context.caller.call(method, { ...filter, pageSize, pageToken }, 'read');
    if (!listed.ok) return listed;
    const { holds, nextPageToken } = listed.value;
    const emails = await findEmails(holds.map((hold) => hold.userId));
    const rows = holds.map((hold) => ({ hold, userEmail: emails.get(hold.userId) }));
    return succeed({ rows, nextPageToken });
  };
  return printPages(context, list.value, { ifEmpty: 'no holds', maxPageSize, fetch });
}
