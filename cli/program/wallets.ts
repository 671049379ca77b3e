import type { Command } from 'commander';

import type { WalletsFreezeOptions } from '../commands/wallets/freeze.ts';
import type { WalletsListOptions } from '../commands/wallets/list.ts';
import { addPageOptions, addZoneOption } from './options.ts';
import type { Start } from './start.ts';

/** wallets list|freeze|unfreeze. */
export function addWalletsCommands(program: Command, start: Start): void {
  const wallets = program.command('wallets').description('list wallets; freeze them (staff)');
  const list = wallets
    .command('list')
    .description("list wallets: your own; everybody's for staff")
    .option('--user <USER>', 'of this user: e-mail address or id');
  addZoneOption(addPageOptions(list))
    .addHelpText(
      'after',
      `
Examples:
  wallet wallets list
  wallet wallets list --user ana@example.com --json`,
    )
    .action(async (options: WalletsListOptions, command: Command) => {
      await start(command, async (context) => {
        const { runWalletsList } = await import('../commands/wallets/list.ts');
        return runWalletsList(context, options);
      });
    });

  addChange(wallets, 'freeze', 'let nothing move on a wallet until it is unfrozen').action(
    async (options: WalletsFreezeOptions, command: Command) => {
      await start(command, async (context) => {
        const { runWalletsFreeze } = await import('../commands/wallets/freeze.ts');
        return runWalletsFreeze(context, options);
      });
    },
  );

  addChange(wallets, 'unfreeze', 'let money move on a wallet again').action(
    async (options: WalletsFreezeOptions, command: Command) => {
      await start(command, async (context) => {
        const { runWalletsUnfreeze } = await import('../commands/wallets/freeze.ts');
        return runWalletsUnfreeze(context, options);
      });
    },
  );
}

function addChange(wallets: Command, name: string, description: string): Command {
  return addZoneOption(wallets.command(name).description(description))
    .option('--user <USER>', 'whose wallet: e-mail address or id')
    .option('--currency <CODE>', 'ISO 4217 code (default WALLET_CURRENCY, the profile, BRL)')
    .option('--note <TEXT>', 'why, for the record')
    .option('--dry-run', 'let the server check it, and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  wallet wallets ${name} --user ana@example.com --note "asked for by phone"
  wallet wallets ${name} --user ana@example.com --currency EUR --dry-run`,
    );
}
