import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import type { MoveOptions } from './command.ts';
import { runMove } from './run.ts';

/** `wallet reverse TRANSACTION_ID` */
export function runReverse(
  context: Context,
  transactionId: string,
  options: MoveOptions,
): Promise<CommandOutcome> {
  return runMove(context, 'reversal', transactionId, options);
}
