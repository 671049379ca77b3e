import type { Command } from 'commander';

import { SetWalletTermsRequest } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import { confirmChange } from '../shared/confirm.ts';
import { currencyOption, dryRunOption, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { detailsOf, readStatusPlan, type StatusOptions } from '../wallets/shared.ts';
import { sendTerms } from './send-terms.ts';

/** Adds `wallet limits clear`. */
export function addLimitsClear(limits: Command, start: Start): void {
  limits
    .command('clear')
    .description("remove a wallet's own spending limits: the server's default ones apply")
    .option('--user <USER>', 'whose wallet: e-mail address or id')
    .option(...currencyOption)
    .option(...zoneOption)
    .option('--note <TEXT>', 'the reason, kept with the change')
    .option(...dryRunOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet limits clear --user ana@example.com --note "asked for by phone"

The overdraft stays as it is: wallet limits set --overdraft 0 ends it.`,
    )
    .action(async (options: StatusOptions, command: Command) => {
      await start(command, (context) => runLimitsClear(context, options));
    });
}

/** `wallet limits clear`: the overdraft is not a spending limit. */
async function runLimitsClear(context: Context, options: StatusOptions): Promise<CommandOutcome> {
  const plan = await readStatusPlan(context, 'clearing limits', options);
  if (!plan.ok) return plan;
  const { user, currency, note, isDryRun } = plan.value;
  if (!isDryRun) {
    const details = detailsOf(plan.value);
    const question = 'Clear the spending limits of this wallet?';
    const confirmed = await confirmChange(context, { details, question });
    if (!confirmed.ok) return confirmed;
  }
  const request = SetWalletTermsRequest.fromPartial({
    ...{ userId: user.id, currency, note, dryRun: isDryRun, clearLimits: true },
  });
  return sendTerms(context, request);
}
