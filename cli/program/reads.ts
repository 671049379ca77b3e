import type { Command } from 'commander';

import type { BalanceOptions } from '../commands/wallets/balance.ts';
import type { TransactionsListOptions } from '../commands/transactions/list.ts';
import type { TransactionsShowOptions } from '../commands/transactions/show.ts';
import { addWalletOptions } from './options.ts';
import type { Start } from './start.ts';

/** balance, transactions list|show. */
export function addReadCommands(program: Command, start: Start): void {
  addWalletOptions(program.command('balance').description('show the balance of a wallet'))
    .option('--all', 'of every wallet that the user has')
    .option(
      '--at <TIME>',
      'as of a date (its end) or a time like 2026-11-22T18:00, not in the future',
    )
    .option('--timezone <ZONE>', "IANA time zone (default: the terminal's)")
    .addHelpText(
      'after',
      `
Examples:
  wallet balance
  wallet balance --user ana@example.com --all
  wallet balance --at 2026-10-31 --json`,
    )
    .action(async (options: BalanceOptions, command: Command) => {
      await start(command, async (context) => {
        const { runBalance } = await import('../commands/wallets/balance.ts');
        return runBalance(context, options);
      });
    });

  addTransactionsCommands(program, start);
}

function addTransactionsCommands(program: Command, start: Start): void {
  const transactions = program.command('transactions').description('list and show transactions');
  addWalletOptions(transactions.command('list').description('list transactions, newest first'))
    .option('--limit <N>', 'how many at most (default 50)')
    .option('--all', 'all of them')
    .option('--page-token <TOKEN>', 'go on where a list ended')
    .option('--timezone <ZONE>', "IANA time zone (default: the terminal's)")
    .addHelpText(
      'after',
      `
Examples:
  wallet transactions list --limit 10
  wallet transactions list --user ana@example.com --all -o csv > all.csv`,
    )
    .action(async (options: TransactionsListOptions, command: Command) => {
      await start(command, async (context) => {
        const { runTransactionsList } = await import('../commands/transactions/list.ts');
        return runTransactionsList(context, options);
      });
    });

  addWalletOptions(transactions.command('show').description('show one transaction'))
    .argument('[TRANSACTION_ID]', 'its id')
    .option('--idempotency-key <KEY>', 'find it by its key instead')
    .option('--timezone <ZONE>', "IANA time zone (default: the terminal's)")
    .addHelpText(
      'after',
      `
Examples:
  wallet transactions show 6b6a2f0c-8f5e-5c1b-9f43-0d8f2a1c7e55
  wallet transactions show --idempotency-key order-1042`,
    )
    .action(async (id: string | undefined, options: TransactionsShowOptions, command: Command) => {
      await start(command, async (context) => {
        const { runTransactionsShow } = await import('../commands/transactions/show.ts');
        return runTransactionsShow(context, id, options);
      });
    });
}
