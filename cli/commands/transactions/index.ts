import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addTransactionsList } from './list.ts';
import { addTransactionsShow } from './show.ts';

/** `wallet transactions list|show`. */
export function addTransactionsCommands(program: Command, start: Start): void {
  const group = program.command('transactions').description('list and show transactions');
  addTransactionsList(group, start);
  addTransactionsShow(group, start);
}
