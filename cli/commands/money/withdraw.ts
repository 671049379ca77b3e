import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import type { MoveOptions } from './command.ts';
import { runMove } from './run.ts';

/** `wallet withdraw AMOUNT` */
export function runWithdraw(
  context: Context,
  amount: string,
  options: MoveOptions,
): Promise<CommandOutcome> {
  return runMove(context, 'withdraw', amount, options);
}
