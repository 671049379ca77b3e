import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addFreezeOptions, changeFreeze, type FreezeOptions } from './shared.ts';

/** Adds `wallet wallets unfreeze`. */
export function addWalletsUnfreeze(wallets: Command, start: Start): void {
  addFreezeOptions(
    wallets.command('unfreeze').description('allow transactions on a wallet again'),
  ).action(async (options: FreezeOptions, command: Command) => {
    await start(command, (context) => changeFreeze(context, 'unfreeze', options));
  });
}
