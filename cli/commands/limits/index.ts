import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addLimitsClear } from './clear.ts';
import { addLimitsSet } from './set.ts';
import { addLimitsShow } from './show.ts';

/** `wallet limits show|set|clear`. */
export function addLimitsCommands(program: Command, start: Start): void {
  const group = program
    .command('limits')
    .description('overdraft and spending limits of a wallet; set them (staff)');
  addLimitsShow(group, start);
  addLimitsSet(group, start);
  addLimitsClear(group, start);
}
