import type { Command } from 'commander';

import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Start } from '../shared/start.ts';
import { addStatusOptions, changeStatus, type StatusOptions } from './shared.ts';

/** Adds `wallet wallets reopen`. */
export function addWalletsReopen(wallets: Command, start: Start): void {
  addStatusOptions(
    wallets.command('reopen').description('allow transactions on a closed wallet again'),
  ).action(async (options: StatusOptions, command: Command) => {
    await start(command, (context) => {
      const change: Parameters<typeof changeStatus>[1] = {
        what: 'reopening a wallet',
        question: 'Reopen this wallet?',
        call: (request, kind) =>
          context.caller.call(WalletServiceService.reopenWallet, request, kind),
      };
      return changeStatus(context, change, options);
    });
  });
}
