import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import type { MoveOptions } from './command.ts';
import { runMove } from './run.ts';

/** `wallet cancel TRANSACTION_ID` */
export function runCancel(
  context: Context,
  transactionId: string,
  options: MoveOptions,
): Promise<CommandOutcome> {
  return runMove(context, 'cancellation', transactionId, options);
}
