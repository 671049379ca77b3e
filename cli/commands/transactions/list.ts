import type { Command } from 'commander';

import { findExponent } from '../../../core/currencies.ts';
import { isOperation, operations, operationTable } from '../../../core/operations.ts';
import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { failUsage, succeed, type CommandOutcome, type Outcome } from '../../outcome.ts';
import { failUnknownCurrency } from '../money/command.ts';
import { transactionColumns } from '../../output/transaction-columns.ts';
import { openList, printPages, type PageOptions } from '../shared/paging.ts';
import { identifyActor, resolveUser } from '../users/actor.ts';
import { addPageOptions, addWalletOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { addTimeRangeOptions, readTimeRange, type TimeRangeOptions } from '../shared/times.ts';
import { toTransactionJson } from '../../../lib/json/transactions.ts';
import { readTag, searchTransactions, type SearchOptions } from './search.ts';

type TransactionsListOptions = PageOptions &
  TimeRangeOptions &
  SearchOptions & {
    readonly user?: string;
    readonly currency?: string;
    readonly operation?: string;
    readonly undone?: boolean;
  };

const maxPageSize = 500;

/** Adds `wallet transactions list`. */
export function addTransactionsList(transactions: Command, start: Start): void {
  const list = transactions.command('list').description('list transactions, newest first');
  addPageOptions(addTimeRangeOptions(addWalletOptions(list)))
    .option('--operation <OPERATION>', `only these: ${operations.join(', ')}`)
    .option('--undone', 'only those of which something was undone')
    .option('--no-undone', 'only those of which nothing was undone')
    .option('--reference <TEXT>', 'only those with this reference')
    .option('--meta <KEY=VALUE>', 'only those with this in their metadata')
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet transactions list --limit 10
  wallet transactions list --last 30d --operation purchase --undone
  wallet transactions list --reference NF-1042
  wallet transactions list --user ana@example.com --all -o csv > all.csv

--reference and --meta search the statement lines, by the keys that the server's SEARCH_KEYS names.
The command says so if lines may be missing, and ends with 10 if the lines are behind the ledger.
Staff who name no user search all wallets. A search does not show what was undone: transactions show
does.`,
    )
    .action(async (options: TransactionsListOptions, command: Command) => {
      await start(command, (context) => runTransactionsList(context, options));
    });
}

function readOperation(name: string | undefined): Outcome<Operation> {
  if (name === undefined) return succeed(Operation.UNSPECIFIED);
  if (isOperation(name)) return succeed(operationTable[name].wireNumber);
  const names = operations.join(', ');
  return failUsage('operation', `${JSON.stringify(name)} is no operation: write one of ${names}`);
}

/** A search by staff is of all wallets, and of all currencies unless one was chosen. */
async function chooseCurrency(
  context: Context,
  options: TransactionsListOptions,
): Promise<Outcome<string>> {
  const { currency, chosenCurrency } = context.settings;
  if (options.currency !== undefined || chosenCurrency !== '') {
    return succeed(options.currency ?? currency);
  }
  const caller = await identifyActor(context);
  if (!caller.ok) return caller;
  return succeed(caller.value?.role === 'customer' ? currency : '');
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
  const tag = readTag(options);
  if (!tag.ok) return tag;
  const operation = readOperation(options.operation);
  if (!operation.ok) return operation;
  const range = readTimeRange(context, options);
  if (!range.ok) return range;
  const { from, to } = range.value;
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const userId = user.value?.id ?? '';
  if (tag.value) {
    const searched = userId === '' ? await chooseCurrency(context, options) : succeed(currency);
    if (!searched.ok) return searched;
    const search = { ...tag.value, userId, currency: searched.value };
    return searchTransactions(context, list.value, search);
  }
  const filter = {
    userId,
    currency,
    ascending: false,
    operation: operation.value,
    idPrefix: '',
    ...{ from, to, undone: options.undone },
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
