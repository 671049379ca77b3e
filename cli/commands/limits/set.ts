import type { Command } from 'commander';

import { findExponent } from '../../../core/currencies.ts';
import {
  SetWalletTermsRequest,
  type SpendingLimits,
  type WalletTerms,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { formatMoney } from '../../../lib/json/money.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome, type Outcome } from '../../outcome.ts';
import { failUnknownCurrency } from '../money/command.ts';
import { confirmChange } from '../shared/confirm.ts';
import { collect, currencyOption, dryRunOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import {
  detailsOf,
  readStatusPlan,
  type StatusOptions,
  type StatusPlan,
} from '../wallets/shared.ts';
import { plainLimits, titleOfRolling } from './names.ts';
import {
  applyChange,
  changesLimits,
  readLimits,
  type LimitOptions,
  type LimitsChange,
} from './read-limits.ts';
import { sendTerms } from './send-terms.ts';
import { readTerms } from './terms.ts';

type LimitsSetOptions = StatusOptions & LimitOptions;

/** Adds `wallet limits set`. */
export function addLimitsSet(limits: Command, start: Start): void {
  limits
    .command('set')
    .description('set the overdraft or spending limits of a wallet; the others stay')
    .option('--user <USER>', 'whose wallet: e-mail address or id')
    .option(...currencyOption)
    .option('--overdraft <AMOUNT>', 'how far below 0 the balance may go; 0: not at all')
    .option('--per-transaction <AMOUNT>', 'the most that one transaction may take')
    .option('--per-day <AMOUNT>', 'the most that a day may take; likewise the following ones')
    .option('--per-week <AMOUNT>', 'a week begins on Monday')
    .option('--per-month <AMOUNT>', 'a month of the calendar')
    .option('--rolling <SPAN=AMOUNT>', 'any such span, like 24h=500.00; can be repeated', collect)
    .option('--timezone <ZONE>', 'IANA time zone in which days begin (default UTC)')
    .option('--note <TEXT>', 'the reason, kept with the change')
    .option(...dryRunOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet limits set --user ana@example.com --overdraft 100.00
  wallet limits set --user ana@example.com --per-day 500.00 --timezone America/Sao_Paulo
  wallet limits set --user ana@example.com --per-month none --rolling 24h=300.00

"none" instead of an amount removes a limit. The first limit of a wallet that has the server's
default ones makes them its own. If another change comes between, nothing is changed
(TERMS_CHANGED). What is held counts as spent until it is released.`,
    )
    .action(async (options: LimitsSetOptions, command: Command) => {
      await start(command, (context) => runLimitsSet(context, options));
    });
}

/** `wallet limits set`: the given ones, on the terms that are shown before. */
async function runLimitsSet(context: Context, options: LimitsSetOptions): Promise<CommandOutcome> {
  const currency = options.currency ?? context.settings.currency;
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const change = readLimits(options, currency);
  if (!change.ok) return change;
  const plan = await readStatusPlan(context, 'setting limits', options);
  if (!plan.ok) return plan;
  const { user, note } = plan.value;
  const read = await readTerms(context, { userId: user.id, currency });
  if (!read.ok) return read;
  const { terms } = read.value;
  const limits = changesLimits(change.value) ? applyChange(terms.limits, change.value) : undefined;
  const confirmed = await confirmSet(context, plan.value, terms, change.value, limits);
  if (!confirmed.ok) return confirmed;
  const request = SetWalletTermsRequest.fromPartial({
    ...{ userId: user.id, currency, note, dryRun: plan.value.isDryRun },
    ...{ overdraftLimitMinor: change.value.overdraftMinor, expectedNumber: terms.number },
    ...(limits ? { limits } : {}),
  });
  return sendTerms(context, request);
}

/** Shows what each limit is and becomes. */
async function confirmSet(
  context: Context,
  plan: StatusPlan,
  terms: WalletTerms,
  { overdraftMinor }: LimitsChange,
  limits: SpendingLimits | undefined,
): Promise<Outcome<undefined>> {
  if (plan.isDryRun) return succeed(undefined);
  const { currency } = plan;
  const money = (minor: bigint | undefined): string =>
    minor === undefined ? 'none' : `${formatMoney(minor, currency)} ${currency}`;
  const change = (before: string, after: string): string =>
    before === after ? after : `${before}, becomes ${after}`;
  const overdraft = change(
    money(terms.overdraftLimitMinor),
    money(overdraftMinor ?? terms.overdraftLimitMinor),
  );
  const details = [
    ...detailsOf(plan),
    ['overdraft limit', overdraft] as const,
    ...(limits
      ? listChanges(terms.limits, limits, (one, other) => change(money(one), money(other)))
      : []),
  ];
  return confirmChange(context, { details, question: 'Set these limits?' });
}

type Detail = readonly [label: string, value: string];

function listChanges(
  before: SpendingLimits | undefined,
  after: SpendingLimits,
  describe: (before: bigint | undefined, after: bigint | undefined) => string,
): readonly Detail[] {
  const plain = plainLimits.flatMap(({ field, title }): Detail[] => {
    const [one, other] = [before?.[field], after[field]];
    return one === undefined && other === undefined ? [] : [[title, describe(one, other)]];
  });
  const rollingOf = (limits: SpendingLimits | undefined) =>
    new Map((limits?.rolling ?? []).map(({ hours, amountMinor }) => [hours, amountMinor]));
  const [old, now] = [rollingOf(before), rollingOf(after)];
  const hours = [...new Set([...old.keys(), ...now.keys()])].sort((one, other) => one - other);
  return [
    ...plain,
    ...hours.map((one): Detail => [titleOfRolling(one), describe(old.get(one), now.get(one))]),
    ['days begin in', after.timezone || 'UTC'],
  ];
}
