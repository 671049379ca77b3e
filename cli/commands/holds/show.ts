import type { Command } from 'commander';

import { findExponent } from '../../../core/currencies.ts';
import { toHoldJson } from '../../../lib/json/holds.ts';
import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import { failUnknownCurrency } from '../money/command.ts';
import { failNoId, isIdOrPrefix } from '../shared/id-prefix.ts';
import { addWalletOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { resolveUser } from '../users/actor.ts';
import { holdColumns } from './columns.ts';
import { holdSearch, readHold, resolveHoldId } from './find.ts';

type HoldsShowOptions = { readonly user?: string; readonly currency?: string };

/** Adds `wallet holds show`. */
export function addHoldsShow(holds: Command, start: Start): void {
  addWalletOptions(holds.command('show').description('show one hold'))
    .argument('<HOLD_ID>', 'its id, or 8 or more characters of its beginning')
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet holds show 6b6a2f0c-8f5e-5c1b-9f43-0d8f2a1c7e55
  wallet holds show 6b6a2f0c --user ana@example.com`,
    )
    .action(async (id: string, options: HoldsShowOptions, command: Command) => {
      await start(command, (context) => runHoldsShow(context, id, options));
    });
}

/** `wallet holds show`: as the hold is now. */
async function runHoldsShow(
  context: Context,
  id: string,
  options: HoldsShowOptions,
): Promise<CommandOutcome> {
  if (!isIdOrPrefix(id)) return failNoId(id, holdSearch);
  const currency = options.currency ?? context.settings.currency;
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const userId = user.value?.id ?? '';
  const holdId = await resolveHoldId(context, id, { userId, currency });
  if (!holdId.ok) return holdId;
  const hold = await readHold(context, holdId.value, userId);
  if (!hold.ok) return hold;
  const columns = holdColumns(context.settings.timezone);
  await printObject(context, { hold: hold.value }, columns, toHoldJson);
  return done;
}
