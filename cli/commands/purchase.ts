import type { Context } from '../context.ts';
import type { CommandOutcome } from '../failures.ts';
import type { MoveOptions } from '../money-move.ts';
import { runMove } from '../run-move.ts';

/** `wallet purchase AMOUNT` */
export function runPurchase(
  context: Context,
  amount: string,
  options: MoveOptions,
): Promise<CommandOutcome> {
  return runMove(context, 'purchase', amount, options);
}
