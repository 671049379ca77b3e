import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addBatchReverse } from './reverse/reverse.ts';
import { addBatchRun } from './run.ts';

/** `wallet batch run` and `wallet batch reverse`. */
export function addBatchCommands(program: Command, start: Start): void {
  const group = program.command('batch').description('many transactions from a file');
  addBatchRun(group, start);
  addBatchReverse(group, start);
}
