import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import type { MoneyOptions } from './command.ts';
import { runMoneyCommand } from './run.ts';

/** `wallet cancel TRANSACTION_ID` */
export function runCancel(
  context: Context,
  transactionId: string,
  options: MoneyOptions,
): Promise<CommandOutcome> {
  return runMoneyCommand(context, 'cancellation', transactionId, options);
}
