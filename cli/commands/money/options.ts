import type { Command } from 'commander';

import type { Operation } from '../../../core/operations.ts';
import { currencyOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import type { MoneyOptions } from './command.ts';
import { runMoneyCommand } from './send.ts';

type Declaration = {
  readonly name: string;
  readonly operation: Operation;
  readonly description: string;
};

const keyNote = `
Without --idempotency-key a new key is generated. If the outcome is unknown (exit code 9), the key
is stored, and the same command run again reuses it: nothing is done twice. After a day the command
asks first, and without a terminal it fails: --idempotency-key KEY continues the earlier run, and
--new-key does it anew.
A key names one transaction within one wallet (a user's, in one currency). The same key with another
operation, amount, parent or merchant is refused; the description is not compared.`;

/** Adds a command that moves an amount: `wallet deposit AMOUNT`. */
export function addAmountCommand(
  program: Command,
  start: Start,
  declaration: Declaration & { readonly examples: readonly string[] },
): Command {
  const command = program
    .command(declaration.name)
    .description(declaration.description)
    .argument('<AMOUNT>', 'plain digits with a point for decimals, like 1234.50')
    .option(...currencyOption);
  return addMoneyOptions(command, start, declaration.operation, declaration.examples);
}

/** Adds a command that undoes a transaction: `wallet cancel TRANSACTION_ID`. */
export function addUndoCommand(program: Command, start: Start, declaration: Declaration): Command {
  const command = program
    .command(declaration.name)
    .description(declaration.description)
    .argument('<TRANSACTION_ID>', 'the transaction to undo: its id, or 8 or more characters of it')
    .option(
      '--currency <CODE>',
      "ISO 4217 code of the wallet (default: the transaction's own; for a part of an id WALLET_CURRENCY, the profile, BRL)",
    );
  const examples = ['6b6a2f0c-8f5e-5c1b-9f43-0d8f2a1c7e55'];
  return addMoneyOptions(command, start, declaration.operation, examples);
}

function addMoneyOptions(
  command: Command,
  start: Start,
  operation: Operation,
  examples: readonly string[],
): Command {
  const lines = examples.map((example) => `  wallet ${command.name()} ${example}\n`).join('');
  return command
    .option('--user <USER>', 'e-mail address or id; required for staff')
    .option('--description <TEXT>', 'shown in lists and statements')
    .option(
      '--idempotency-key <KEY>',
      'names this transaction within its wallet (user and currency): the same key returns the same transaction',
    )
    .option('--new-key', 'do it anew, whatever an earlier run of the same command left unfinished')
    .option('--dry-run', 'let the server check the command, and change nothing')
    .addHelpText('after', `\nExamples:\n${lines}${keyNote}`)
    .action(async (argument: string, options: MoneyOptions, self: Command) => {
      await start(self, (context) => runMoneyCommand(context, operation, argument, options));
    });
}
