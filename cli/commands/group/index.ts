import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addGroupRun } from './run.ts';

/** `wallet group run`. */
export function addGroupCommands(program: Command, start: Start): void {
  const group = program.command('group').description('transactions that happen together');
  addGroupRun(group, start);
}
