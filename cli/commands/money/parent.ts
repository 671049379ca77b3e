import { findExponent } from '../../../core/currencies.ts';
import { isUuid } from '../../../core/ids.ts';
import type { Context } from '../../context.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { resolveTransactionId } from '../transactions/find.ts';
import type { KnownUser } from '../users/actor.ts';
import { failUnknownCurrency, type MoneyCommand } from './command.ts';

/**
 * The command with the whole id of what it undoes. The beginning of an id counts within the wallet
 * of the user and the currency, and the id that it stands for is always shown.
 */
export async function nameParent(
  context: Context,
  moneyCommand: MoneyCommand,
  user: KnownUser | undefined,
): Promise<Outcome<MoneyCommand>> {
  const { parentId, operation } = moneyCommand;
  if (parentId === undefined || isUuid(parentId)) return succeed(moneyCommand);
  const currency = moneyCommand.currency || context.settings.currency;
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const wallet = { userId: user?.id ?? '', currency };
  const resolved = await resolveTransactionId(context, parentId, wallet);
  if (!resolved.ok) return resolved;
  await context.reporter.noteAlways(
    `${operation} of ${parentId}: the transaction ${resolved.value}`,
  );
  return succeed({ ...moneyCommand, parentId: resolved.value });
}
