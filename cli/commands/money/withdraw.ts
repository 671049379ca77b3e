import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addAmountCommand, forceOption } from './options.ts';

/** Adds `wallet withdraw`. */
export function addWithdraw(program: Command, start: Start): void {
  addAmountCommand(program, start, {
    name: 'withdraw',
    operation: 'withdraw',
    description: 'take money out of a wallet',
    examples: ['20.00', '20.00 --dry-run'],
  })
    .option('--via <NAME>', 'where the money goes to, like a bank (default: cash)')
    .option(...forceOption);
}
