import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import type { MoveOptions } from './command.ts';
import { runMove } from './run.ts';

/** `wallet purchase AMOUNT` */
export function runPurchase(
  context: Context,
  amount: string,
  options: MoveOptions,
): Promise<CommandOutcome> {
  return runMove(context, 'purchase', amount, options);
}
