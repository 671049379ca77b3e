import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addUndoCommand } from './options.ts';

/** Adds `wallet cancel`. */
export function addCancel(program: Command, start: Start): void {
  addUndoCommand(program, start, {
    name: 'cancel',
    operation: 'cancellation',
    description: 'refund a purchase or a capture, whole or in part',
  });
}
