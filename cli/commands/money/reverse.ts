import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import type { MoneyOptions } from './command.ts';
import { runMoneyCommand } from './run.ts';

/** `wallet reverse TRANSACTION_ID` */
export function runReverse(
  context: Context,
  transactionId: string,
  options: MoneyOptions,
): Promise<CommandOutcome> {
  return runMoneyCommand(context, 'reversal', transactionId, options);
}
