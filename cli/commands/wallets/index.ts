import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addWalletsFreeze } from './freeze.ts';
import { addWalletsList } from './list.ts';
import { addWalletsUnfreeze } from './unfreeze.ts';

/** `wallet wallets list|freeze|unfreeze`. */
export function addWalletsCommands(program: Command, start: Start): void {
  const group = program.command('wallets').description('list wallets; freeze them (staff)');
  addWalletsList(group, start);
  addWalletsFreeze(group, start);
  addWalletsUnfreeze(group, start);
}
