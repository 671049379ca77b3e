import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addWalletsClose } from './close.ts';
import { addWalletsFreeze } from './freeze.ts';
import { addWalletsList } from './list.ts';
import { addWalletsReopen } from './reopen.ts';
import { addWalletsUnfreeze } from './unfreeze.ts';

/** `wallet wallets list|freeze|unfreeze|close|reopen`. */
export function addWalletsCommands(program: Command, start: Start): void {
  const group = program
    .command('wallets')
    .description('list wallets; freeze and close them (staff)');
  addWalletsList(group, start);
  addWalletsFreeze(group, start);
  addWalletsUnfreeze(group, start);
  addWalletsClose(group, start);
  addWalletsReopen(group, start);
}
