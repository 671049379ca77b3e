import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addHoldCommand } from './options.ts';

/** Adds `wallet capture`. */
export function addCapture(program: Command, start: Start): void {
  addHoldCommand(program, start, {
    name: 'capture',
    operation: 'capture',
    description: 'take what a hold reserves, or a part of it, and pay whom it is for',
    amount: 'a part of what is left; the rest is released (default: all that is left)',
    examples: ['--amount 30.00', '--amount 30.00 --keep-rest'],
  }).option('--keep-rest', 'what is left stays reserved, for another capture');
}
