import type { Command } from 'commander';

import { findExponent } from '../../../core/currencies.ts';
import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { failUnknownCurrency } from '../money/command.ts';
import { transactionColumns } from '../../output/transaction-columns.ts';
import { openList, printPages, type PageOptions } from '../shared/paging.ts';
import { resolveUser } from '../users/actor.ts';
import { addPageOptions, addWalletOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { toTransactionJson } from '../../../lib/json/transactions.ts';

type TransactionsListOptions = PageOptions & {
  readonly user?: string;
  readonly currency?: string;
};

const maxPageSize = 500;

/** Adds `wallet transactions list`. */
export function addTransactionsList(transactions: Command, start: Start): void {
  const list = transactions.command('list').description('list transactions, newest first');
  addPageOptions(addWalletOptions(list))
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet transactions list --limit 10
  wallet transactions list --user ana@example.com --all -o csv > all.csv`,
    )
    .action(async (options: TransactionsListOptions, command: Command) => {
      await start(command, (context) => runTransactionsList(context, options));
    });
}

/** `wallet transactions list`: newest first, as many pages as it takes. */
async function runTransactionsList(
  context: Context,
  options: TransactionsListOptions,
): Promise<CommandOutcome> {
  const columns = transactionColumns(context.settings.timezone);
  const list = openList(context, options, columns, toTransactionJson);
  if (!list.ok) return list;
  const currency = options.currency ?? context.settings.currency;
  if (currency !== '' && findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const filter = {
    userId: user.value?.id ?? '',
    currency,
    ascending: false,
    operation: Operation.UNSPECIFIED,
    idPrefix: '',
  };
  const fetch = async (pageSize: number, pageToken: string) => {
    const method = WalletServiceService.listTransactions;
    const listed = await context.caller.call(method, { ...filter, pageSize, pageToken }, 'read');
    if (!listed.ok) return listed;
    const { transactions, nextPageToken } = listed.value;
    const rows = transactions.map((transaction) => ({
      transaction,
      replayed: false,
      isDryRun: false,
    }));
    return succeed({ rows, nextPageToken });
  };
  return printPages(context, list.value, { ifEmpty: 'no transactions', maxPageSize, fetch });
}
