import { describeAddress } from '../../../core/addresses.ts';
import { findExponent } from '../../../core/currencies.ts';
import { findTextProblem, textLimits } from '../../../core/text.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { checkConfirmable, confirmChange } from '../../terminal/confirm.ts';
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
import { toWalletJson, walletColumns, walletDryRunColumn } from '../../output/wallets.ts';
import { resolveUser, type KnownUser } from '../users/actor.ts';

export type WalletsFreezeOptions = {
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

/** `wallet wallets freeze`: nothing moves on the wallet until it is unfrozen. */
export const runWalletsFreeze = (
  context: Context,
  options: WalletsFreezeOptions,
): Promise<CommandOutcome> => change(context, 'freeze', options);

/** `wallet wallets unfreeze` */
export const runWalletsUnfreeze = (
  context: Context,
  options: WalletsFreezeOptions,
): Promise<CommandOutcome> => change(context, 'unfreeze', options);

async function change(
  context: Context,
  verb: Verb,
  options: WalletsFreezeOptions,
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

async function readPlan(context: Context, options: WalletsFreezeOptions): Promise<Outcome<Plan>> {
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
