import type { Command } from 'commander';

import { describeAddress } from '../../../core/addresses.ts';
import { findExponent } from '../../../core/currencies.ts';
import { findTextProblem, textLimits } from '../../../core/text.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
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

export type FreezeOptions = {
  readonly user?: string;
  readonly currency?: string;
  readonly note?: string;
  readonly dryRun?: boolean;
};

type Verb = 'freeze' | 'unfreeze';
type Plan = {
  readonly user: KnownUser;
  readonly currency: string;
  readonly note: string;
};

const methods = {
  freeze: WalletServiceService.freezeWallet,
  unfreeze: WalletServiceService.unfreezeWallet,
} as const;

/** Adds the options and the help that freeze and unfreeze share. */
export function addFreezeOptions(command: Command): Command {
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
  wallet wallets ${command.name()} --user ana@example.com --note "asked for by phone"
  wallet wallets ${command.name()} --user ana@example.com --currency EUR --dry-run`,
    );
}

/** Freezes or unfreezes the wallet that the options name. */
export async function changeFreeze(
  context: Context,
  verb: Verb,
  options: FreezeOptions,
): Promise<CommandOutcome> {
  const isDryRun = options.dryRun === true;
  const what = verb === 'freeze' ? 'freezing a wallet' : 'unfreezing a wallet';
  const confirmable = isDryRun ? done : checkConfirmable(context, what);
  if (!confirmable.ok) return confirmable;
  const plan = await readPlan(context, options);
  if (!plan.ok) return plan;
  const { user, currency, note } = plan.value;
  if (!isDryRun) {
    const confirmed = await confirmChange(context, {
      details: [
        [
          'user',
          user.email === undefined ? user.id : `${describeAddress(user.email)} (${user.id})`,
        ],
        ['currency', currency],
        ['note', options.note],
      ],
      question: `${verb === 'freeze' ? 'Freeze' : 'Unfreeze'} this wallet?`,
    });
    if (!confirmed.ok) return confirmed;
  }
  const request = { userId: user.id, currency, note, dryRun: isDryRun };
  const kind = isDryRun ? 'read' : 'write';
  const changed = await context.caller.call(methods[verb], request, kind);
  if (!changed.ok) return changed;
  const { wallet } = changed.value;
  if (!wallet) return fail('UNEXPECTED', 'the server answered without a wallet');
  const columns = walletColumns(context.settings.timezone);
  const shown = isDryRun ? [walletDryRunColumn, ...columns] : columns;
  await printObject(context, { wallet, isDryRun }, shown, toWalletJson);
  return done;
}

async function readPlan(context: Context, options: FreezeOptions): Promise<Outcome<Plan>> {
  if (options.user === undefined) {
    return failUsage('user', 'is missing', 'add --user EMAIL or --user ID');
  }
  const currency = options.currency ?? context.settings.currency;
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const note = options.note ?? '';
  const problem = findTextProblem(note, textLimits.description);
  if (problem !== undefined) return failUsage('note', problem);
  const needsEmail = !context.isConfirmed && options.dryRun !== true;
  const user = await resolveUser(context, options.user, needsEmail);
  if (!user.ok) return user;
  if (!user.value) return failUsage('user', 'is missing');
  return succeed({ user: user.value, currency, note });
}
