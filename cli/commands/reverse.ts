import type { Context } from '../context.ts';
import type { CommandOutcome } from '../failures.ts';
import type { MoveOptions } from '../money-move.ts';
import { runMove } from '../run-move.ts';

/** `wallet reverse TRANSACTION_ID` */
export function runReverse(
  context: Context,
  transactionId: string,
  options: MoveOptions,
): Promise<CommandOutcome> {
  return runMove(context, 'reversal', transactionId, options);
}
