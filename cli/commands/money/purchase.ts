import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import type { MoneyOptions } from './command.ts';
import { runMoneyCommand } from './run.ts';

/** `wallet purchase AMOUNT` */
export function runPurchase(
  context: Context,
  amount: string,
  options: MoneyOptions,
): Promise<CommandOutcome> {
  return runMoneyCommand(context, 'purchase', amount, options);
}
