import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addHoldCommand } from './options.ts';

/** Adds `wallet release`. */
export function addRelease(program: Command, start: Start): void {
  addHoldCommand(program, start, {
    name: 'release',
    operation: 'release',
    description: 'give back what a hold reserves, or a part of it',
    amount: 'a part of what is left (default: all that is left)',
    examples: ['--amount 10.00'],
  });
}
