import type { Command } from 'commander';

import { findExponent } from '../../../core/currencies.ts';
import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { failUnknownCurrency } from '../money/command.ts';
import { addWalletOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { resolveUser } from '../users/actor.ts';
import { printTerms } from './print-terms.ts';
import { readTerms } from './terms.ts';

type LimitsShowOptions = { readonly user?: string; readonly currency?: string };

/** Adds `wallet limits show`. */
export function addLimitsShow(limits: Command, start: Start): void {
  const show = limits
    .command('show')
    .description(
      'show the overdraft and the spending limits of a wallet, and what is left of them',
    );
  addWalletOptions(show)
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet limits show
  wallet limits show --user ana@example.com --json`,
    )
    .action(async (options: LimitsShowOptions, command: Command) => {
      await start(command, (context) => runLimitsShow(context, options));
    });
}

/** `wallet limits show`: as they are now. */
async function runLimitsShow(
  context: Context,
  options: LimitsShowOptions,
): Promise<CommandOutcome> {
  const currency = options.currency ?? context.settings.currency;
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const read = await readTerms(context, { userId: user.value?.id ?? '', currency });
  if (!read.ok) return read;
  await printTerms(context, { ...read.value, isDryRun: false });
  return done;
}
