import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addUndoCommand } from './options.ts';

/** Adds `wallet reverse`. */
export function addReverse(program: Command, start: Start): void {
  addUndoCommand(program, start, {
    name: 'reverse',
    operation: 'reversal',
    description:
      'reverse a deposit, withdraw, purchase, transfer, capture or fee, whole or in part',
  }).option('--force', 'staff: also if a wallet falls below zero by it');
}
