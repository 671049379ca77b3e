import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addAmountCommand } from './options.ts';

/** Adds `wallet deposit`. */
export function addDeposit(program: Command, start: Start): void {
  addAmountCommand(program, start, {
    name: 'deposit',
    operation: 'deposit',
    description: 'put money into a wallet',
    examples: ['100.00', '50 --user ana@example.com -y'],
  }).option('--via <NAME>', 'where the money comes from, like a bank (default: cash)');
}
