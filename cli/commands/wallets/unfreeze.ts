import type { Command } from 'commander';

import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Start } from '../shared/start.ts';
import { addStatusOptions, changeStatus, type StatusOptions } from './shared.ts';

/** Adds `wallet wallets unfreeze`. */
export function addWalletsUnfreeze(wallets: Command, start: Start): void {
  addStatusOptions(
    wallets.command('unfreeze').description('allow transactions on a wallet again'),
  ).action(async (options: StatusOptions, command: Command) => {
    await start(command, (context) => {
      const change: Parameters<typeof changeStatus>[1] = {
        what: 'unfreezing a wallet',
        question: 'Unfreeze this wallet?',
        call: (request, kind) =>
          context.caller.call(WalletServiceService.unfreezeWallet, request, kind),
      };
      return changeStatus(context, change, options);
    });
  });
}
