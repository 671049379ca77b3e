import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addAmountCommand, forceOption } from './options.ts';

/** Adds `wallet transfer`. */
export function addTransfer(program: Command, start: Start): void {
  addAmountCommand(program, start, {
    name: 'transfer',
    operation: 'transfer',
    description: "pay another user's wallet in the same currency",
    examples: ['25.00 --to ana@example.com', '25.00 --user ana@example.com --to leo@example.com'],
  })
    .option('--to <USER>', 'who is paid: e-mail address or id')
    .option(...forceOption);
}
