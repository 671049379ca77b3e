import type { Context } from '../context.ts';
import type { CommandOutcome } from '../failures.ts';
import type { MoveOptions } from '../money-move.ts';
import { runMove } from '../run-move.ts';

/** `wallet withdraw AMOUNT` */
export function runWithdraw(
  context: Context,
  amount: string,
  options: MoveOptions,
): Promise<CommandOutcome> {
  return runMove(context, 'withdraw', amount, options);
}
