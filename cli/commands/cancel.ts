import type { Context } from '../context.ts';
import type { CommandOutcome } from '../failures.ts';
import type { MoveOptions } from '../money-move.ts';
import { runMove } from '../run-move.ts';

/** `wallet cancel TRANSACTION_ID` */
export function runCancel(
  context: Context,
  transactionId: string,
  options: MoveOptions,
): Promise<CommandOutcome> {
  return runMove(context, 'cancellation', transactionId, options);
}
