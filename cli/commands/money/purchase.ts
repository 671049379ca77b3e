import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addAmountCommand, forceOption } from './options.ts';

/** Adds `wallet purchase`. */
export function addPurchase(program: Command, start: Start): void {
  addAmountCommand(program, start, {
    name: 'purchase',
    operation: 'purchase',
    description: 'pay from a wallet',
    examples: ['15.90 --merchant "Book shop"'],
  })
    .option('--merchant <NAME>', 'who is paid')
    .option(...forceOption);
}
