import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addHoldsList } from './list.ts';
import { addHoldsShow } from './show.ts';

/** `wallet holds list|show`. */
export function addHoldsCommands(program: Command, start: Start): void {
  const group = program
    .command('holds')
    .description('money that is reserved: list holds, show one');
  addHoldsList(group, start);
  addHoldsShow(group, start);
}
