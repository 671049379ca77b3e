import type { Command } from 'commander';

import {
  FreezeWalletRequest,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Start } from '../shared/start.ts';
import { addStatusOptions, changeStatus, type StatusOptions } from './shared.ts';

type FreezeOptions = StatusOptions & { readonly debitsOnly?: boolean };

/** Adds `wallet wallets freeze`. */
export function addWalletsFreeze(wallets: Command, start: Start): void {
  addStatusOptions(
    wallets
      .command('freeze')
      .description('block all transactions on a wallet, or its debits, until it is unfrozen')
      .option('--debits-only', 'block debits only: the wallet can still receive'),
    ['--debits-only'],
  ).action(async (options: FreezeOptions, command: Command) => {
    const debitsOnly = options.debitsOnly === true;
    await start(command, (context) => {
      const change: Parameters<typeof changeStatus>[1] = {
        what: 'freezing a wallet',
        question: debitsOnly ? 'Freeze the debits of this wallet?' : 'Freeze this wallet?',
        call: (request, kind) =>
          context.caller.call(
            WalletServiceService.freezeWallet,
            FreezeWalletRequest.fromPartial({ ...request, debitsOnly }),
            kind,
          ),
      };
      return changeStatus(context, change, options);
    });
  });
}
