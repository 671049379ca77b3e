import type { Command } from 'commander';

import { describeAddress } from '../../../core/addresses.ts';
import { findExponent } from '../../../core/currencies.ts';
import { findTextProblem, textLimits } from '../../../core/text.ts';
import type { Wallet } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { checkConfirmable, confirmChange } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import {
  done,
  fail,
  failUsage,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { failUnknownCurrency } from '../money/command.ts';
import { printObject } from '../../output/print.ts';
import { walletColumns, walletDryRunColumn } from './columns.ts';
import { currencyOption, zoneOption } from '../shared/options.ts';
import { resolveUser, type KnownUser } from '../users/actor.ts';
import { toWalletJson } from '../../../lib/json/transactions.ts';

/** The options of the commands that change a wallet's status. */
export type StatusOptions = {
  readonly user?: string;
  readonly currency?: string;
  readonly note?: string;
  readonly dryRun?: boolean;
};

/** Which wallet, and why. */
export type StatusPlan = {
  readonly user: KnownUser;
  readonly currency: string;
  readonly note: string;
  readonly isDryRun: boolean;
};

type StatusRequest = {
  readonly userId: string;
  readonly currency: string;
  readonly note: string;
  readonly dryRun: boolean;
};

/** A change as it is confirmed and sent. */
type StatusChange = {
  /** What needs confirmation, like `freezing a wallet`. */
  readonly what: string;
  readonly question: string;
  readonly call: (
    request: StatusRequest,
    kind: 'read' | 'write',
  ) => Promise<Outcome<{ wallet?: Wallet | undefined }>>;
};

/** Adds the options and the help that these commands share. */
export function addStatusOptions(command: Command, examples: readonly string[] = []): Command {
  const line = `wallet wallets ${command.name()} --user ana@example.com`;
  const given = [`${line} --note "asked for by phone"`, `${line} --currency EUR --dry-run`];
  return command
    .option(...zoneOption)
    .option('--user <USER>', 'whose wallet: e-mail address or id')
    .option(...currencyOption)
    .option('--note <TEXT>', 'the reason, kept with the change')
    .option('--dry-run', 'let the server check the command, and change nothing')
    .addHelpText(
      'after',
      `
Examples:
${[...given, ...examples.map((text) => `${line} ${text}`)].map((text) => `  ${text}`).join('\n')}`,
    );
}

/** Changes the status of the wallet that the options name, and prints it. */
export async function changeStatus(
  context: Context,
  { what, question, call }: StatusChange,
  options: StatusOptions,
): Promise<CommandOutcome> {
  const plan = await readStatusPlan(context, what, options);
  if (!plan.ok) return plan;
  const { user, currency, note, isDryRun } = plan.value;
  if (!isDryRun) {
    const details = detailsOf(plan.value);
    const confirmed = await confirmChange(context, { details, question });
    if (!confirmed.ok) return confirmed;
  }
  const request = { userId: user.id, currency, note, dryRun: isDryRun };
  const changed = await call(request, isDryRun ? 'read' : 'write');
  if (!changed.ok) return changed;
  const { wallet } = changed.value;
  if (!wallet) return fail('UNEXPECTED', 'the server answered without a wallet');
  const columns = walletColumns(context.settings.timezone);
  const shown = isDryRun ? [walletDryRunColumn, ...columns] : columns;
  await printObject(context, { wallet, isDryRun }, shown, toWalletJson);
  return done;
}

/** What a confirmation shows of the wallet. */
export const detailsOf = ({ user, currency, note }: StatusPlan) =>
  [
    ['user', describeUser(user)],
    ['currency', currency],
    ['note', note === '' ? undefined : note],
  ] as const;

/** An id, with its address where that is known. */
export const describeUser = ({ id, email }: KnownUser): string =>
  email === undefined ? id : `${describeAddress(email)} (${id})`;

/** Checks the options, and finds the user. CONFIRMATION_REQUIRED before anything is sent. */
export async function readStatusPlan(
  context: Context,
  what: string,
  options: StatusOptions,
): Promise<Outcome<StatusPlan>> {
  const isDryRun = options.dryRun === true;
  const confirmable = isDryRun ? done : checkConfirmable(context, what);
  if (!confirmable.ok) return confirmable;
  if (options.user === undefined) {
    return failUsage('user', 'is missing', 'add --user EMAIL or --user ID');
  }
  const currency = options.currency ?? context.settings.currency;
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const note = options.note ?? '';
  const problem = findTextProblem(note, textLimits.description);
  if (problem !== undefined) return failUsage('note', problem);
  const needsEmail = !context.isConfirmed && !isDryRun;
  const user = await resolveUser(context, options.user, needsEmail);
  if (!user.ok) return user;
  if (!user.value) return failUsage('user', 'is missing');
  return succeed({ user: user.value, currency, note, isDryRun });
}
