import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addFreezeOptions, changeFreeze, type FreezeOptions } from './shared.ts';

/** Adds `wallet wallets freeze`. */
export function addWalletsFreeze(wallets: Command, start: Start): void {
  addFreezeOptions(
    wallets
      .command('freeze')
      .description('block all transactions on a wallet until it is unfrozen'),
  ).action(async (options: FreezeOptions, command: Command) => {
    await start(command, (context) => changeFreeze(context, 'freeze', options));
  });
}
