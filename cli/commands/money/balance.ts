import type { Command } from 'commander';

import { findExponent } from '../../../core/currencies.ts';
import {
  WalletServiceService,
  WalletStatus,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import {
  done,
  exitCodes,
  fail,
  failUsage,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { failUnknownCurrency } from './command.ts';
import { chooseColumns, type View, type ViewOptions } from '../../output/choose-columns.ts';
import { createListPrinter } from '../../output/list-printer.ts';
import { availableColumns } from '../../output/available-columns.ts';
import { numberColumn, shorterTimes, textColumn } from '../../output/columns.ts';
import { printObject, type Column } from '../../output/print.ts';
import { formatLocalTime } from '../../output/time.ts';
import { failUserRequired, isStaff } from './confirm.ts';
import type { Settings } from '../../config/settings.ts';
import { parseTime } from '../shared/times.ts';
import { identifyActor, resolveUser } from '../users/actor.ts';
import { addViewOptions, addWalletOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import {
  formatBalance,
  isCorrupt,
  nameWalletStatus,
  toBalanceJson,
  type BalanceRow,
} from '../../../lib/json/transactions.ts';

type BalanceOptions = ViewOptions & {
  readonly user?: string;
  readonly currency?: string;
  readonly all?: boolean;
  readonly at?: string;
  readonly timezone?: string;
};

/** Adds `wallet balance`. */
export function addBalance(program: Command, start: Start): void {
  const balance = program.command('balance').description('show the balance of a wallet');
  addViewOptions(addWalletOptions(balance))
    .option('--all', 'every wallet of the user')
    .option(
      '--at <TIME>',
      'as of a date (its end), yesterday, or a time like 2026-11-22T18:00, not in the future',
    )
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet balance
  wallet balance --user ana@example.com --all
  wallet balance --at yesterday
  wallet balance --at 2026-10-31 --json`,
    )
    .action(async (options: BalanceOptions, command: Command) => {
      await start(command, (context) => runBalance(context, options));
    });
}

/** `wallet balance`: of one wallet, or with --all of every wallet of a user. */
async function runBalance(context: Context, options: BalanceOptions): Promise<CommandOutcome> {
  const { settings } = context;
  if (options.all && options.currency !== undefined) {
    return failUsage('all', '--all and --currency exclude each other');
  }
  const currency = options.currency ?? settings.currency;
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const view = chooseColumns(columns(settings), options, context.manner.output);
  if (!view.ok) return view;
  let at: Date | undefined;
  if (options.at !== undefined) {
    const parsed = parseAt(context, options.at);
    if (!parsed.ok) return parsed;
    at = parsed.value;
  }
  // The server would list the wallets of all customers, without their names.
  if (options.all && options.user === undefined && (await isOfStaff(context))) {
    return failUserRequired();
  }
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const userId = user.value?.id ?? '';
  if (options.all) return printAll(context, view.value, userId, at);
  const balance = await getBalance(context, userId, currency, at);
  if (!balance.ok) return balance;
  await printObject(context, balance.value, view.value.columns, toBalanceJson);
  return done;
}

/** A time, or the last moment of a day or a month; today's has not come yet. */
function parseAt(context: Context, text: string): Outcome<Date> {
  const parsed = parseTime('at', text, context);
  if (!parsed.ok) return parsed;
  const { startMs, endMs } = parsed.value;
  const nowMs = context.clock.now();
  if (startMs > nowMs) return failUsage('at', '--at must not be in the future');
  return succeed(new Date(startMs < endMs ? Math.min(endMs - 1, nowMs) : startMs));
}

/** Where it cannot be found out, the server decides who may list what. */
async function isOfStaff(context: Context): Promise<boolean> {
  const caller = await identifyActor(context);
  return caller.ok && isStaff(caller.value?.role);
}

async function getBalance(
  context: Context,
  userId: string,
  currency: string,
  at: Date | undefined,
): Promise<Outcome<BalanceRow>> {
  const method = WalletServiceService.getBalance;
  const got = await context.caller.call(method, { userId, currency, at }, 'read');
  if (!got.ok) return got;
  const { wallet, asOf } = got.value;
  if (!wallet) return fail('UNEXPECTED', 'the server answered without a wallet');
  return succeed({ wallet, asOf });
}

async function printAll(
  context: Context,
  view: View<BalanceRow>,
  userId: string,
  at: Date | undefined,
): Promise<CommandOutcome> {
  const list = createListPrinter(context, view, toBalanceJson);
  let pageToken = '';
  let owner: string | undefined;
  const corrupt: string[] = [];
  do {
    const method = WalletServiceService.listWallets;
    const listed = await context.caller.call(method, { userId, pageSize: 100, pageToken }, 'read');
    if (!listed.ok) return listed;
    owner ??= listed.value.wallets[0]?.userId;
    const others = listed.value.wallets.filter((wallet) => wallet.userId !== owner);
    if (owner !== undefined && others.length > 0) return failUserRequired();
    const rows: BalanceRow[] = [];
    for (const wallet of listed.value.wallets) {
      if (isCorrupt(wallet)) corrupt.push(wallet.currency);
      const row =
        at && !isCorrupt(wallet)
          ? await getBalance(context, userId, wallet.currency, at)
          : succeed({ wallet, asOf: listed.value.asOf });
      if (!row.ok) return row;
      rows.push(row.value);
    }
    await list.add(rows);
    pageToken = listed.value.nextPageToken;
  } while (pageToken !== '');
  await list.end(undefined, 'no wallets yet: the first deposit creates one');
  if (corrupt.length === 0) return done;
  await context.reporter.warnAlways(
    `the wallet in ${corrupt.join(', ')} does not match its last transaction, so its balance is ` +
      "not shown: ask the server's operator to check it",
  );
  return succeed(exitCodes.refused);
}

/** People see it of a wallet that does not take everything; data has it always. */
const statusColumn: Column<BalanceRow> = {
  ...textColumn(
    'status',
    'STATUS',
    ({ wallet: { status } }) =>
      status === WalletStatus.ACTIVE ? undefined : nameWalletStatus(status),
    { isHiddenIfEmpty: true, priority: 5 },
  ),
  value: ({ wallet }) => nameWalletStatus(wallet.status),
};

function columns(settings: Settings): readonly Column<BalanceRow>[] {
  const balanceOf = ({ wallet }: BalanceRow): string | undefined => formatBalance(wallet);
  return [
    numberColumn('balance', 'BALANCE', balanceOf, { isKey: true }),
    {
      header: 'currency',
      value: ({ wallet }) => wallet.currency,
      table: { title: 'CURRENCY', isKey: true, cell: ({ wallet }) => wallet.currency },
    },
    ...availableColumns,
    statusColumn,
    {
      header: 'as_of',
      value: ({ asOf }) => asOf?.toISOString(),
      table: {
        title: 'AS OF',
        shorterWidths: shorterTimes,
        cell: ({ asOf }) =>
          asOf && `${formatLocalTime(asOf, settings.timezone)} (${settings.timezone})`,
        listCell: ({ asOf }) => asOf && formatLocalTime(asOf, settings.timezone),
      },
    },
    textColumn('seq', 'SEQ', ({ wallet }) => wallet.seq.toString(), {
      ...{ align: 'right', priority: 1 },
    }),
    {
      header: 'wallet_id',
      value: ({ wallet }) => wallet.id,
      table: { title: 'WALLET', isId: true, cell: ({ wallet }) => wallet.id },
    },
    { header: 'user_id', value: ({ wallet }) => wallet.userId },
  ];
}
