import type { Command } from 'commander';

import type { MoneyOptions } from '../commands/money/command.ts';
import type { Start } from './start.ts';

const keyNote = `
Without --idempotency-key a new key is made. If the outcome stays unknown (exit code 9), the key is
remembered, and the same command run again goes on under it: nothing is done twice.
A key names one transaction within one wallet (a user's, of one currency). With another operation,
amount, parent or merchant it is refused; a description does not count, and stays the original's.`;

/** deposit, withdraw, purchase, cancel, reverse. */
export function addMoneyCommands(program: Command, start: Start): void {
  addSum(program, 'deposit', 'put money into a wallet', [
    '100.00',
    '50 --user ana@example.com -y',
  ]).action(async (amount: string, options: MoneyOptions, command: Command) => {
    await start(command, async (context) => {
      const { runDeposit } = await import('../commands/money/deposit.ts');
      return runDeposit(context, amount, options);
    });
  });

  addSum(program, 'withdraw', 'take money out of a wallet', ['20.00', '20.00 --dry-run']).action(
    async (amount: string, options: MoneyOptions, command: Command) => {
      await start(command, async (context) => {
        const { runWithdraw } = await import('../commands/money/withdraw.ts');
        return runWithdraw(context, amount, options);
      });
    },
  );

  addSum(program, 'purchase', 'pay from a wallet', ['15.90 --merchant "Book shop"'])
    .option('--merchant <NAME>', 'who is paid')
    .action(async (amount: string, options: MoneyOptions, command: Command) => {
      await start(command, async (context) => {
        const { runPurchase } = await import('../commands/money/purchase.ts');
        return runPurchase(context, amount, options);
      });
    });

  addUndo(program, 'cancel', 'give a purchase back, whole').action(
    async (transactionId: string, options: MoneyOptions, command: Command) => {
      await start(command, async (context) => {
        const { runCancel } = await import('../commands/money/cancel.ts');
        return runCancel(context, transactionId, options);
      });
    },
  );

  addUndo(program, 'reverse', 'undo a deposit, withdraw or purchase, whole').action(
    async (transactionId: string, options: MoneyOptions, command: Command) => {
      await start(command, async (context) => {
        const { runReverse } = await import('../commands/money/reverse.ts');
        return runReverse(context, transactionId, options);
      });
    },
  );
}

function addSum(
  program: Command,
  name: string,
  description: string,
  examples: readonly string[],
): Command {
  const command = program
    .command(name)
    .description(description)
    .argument('<AMOUNT>', 'plain digits with a point for decimals, like 1234.50')
    .option('--currency <CODE>', 'ISO 4217 code (default WALLET_CURRENCY, the profile, BRL)');
  return addMoveOptions(command, examples);
}

function addUndo(program: Command, name: string, description: string): Command {
  const command = program
    .command(name)
    .description(description)
    .argument('<TRANSACTION_ID>', 'what to undo')
    .option('--currency <CODE>', "ISO 4217 code of the wallet (default: the transaction's own)");
  return addMoveOptions(command, ['6b6a2f0c-8f5e-5c1b-9f43-0d8f2a1c7e55']);
}

function addMoveOptions(command: Command, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  wallet ${command.name()} ${example}\n`).join('');
  return command
    .option('--user <USER>', 'e-mail address or id; staff always name the user')
    .option('--description <TEXT>', 'shown in lists and statements')
    .option(
      '--idempotency-key <KEY>',
      'names this transaction within its wallet (user and currency): the same key again does nothing new',
    )
    .option('--dry-run', 'let the server check it, and change nothing')
    .addHelpText('after', `\nExamples:\n${lines}${keyNote}`);
}
