import type { Command } from 'commander';

import type { Operation } from '../../../core/operations.ts';
import { collect, currencyOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import type { MoneyOptions } from './extras.ts';
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
operation, amount, parent, merchant, recipient, --via or --keep-rest is refused; description,
reference, metadata and the end of a hold are not compared.`;

/** Of a debit or a hold. */
export const forceOption = [
  '--force',
  'staff: it may pass spending limits, never what is available',
] as const;

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
    )
    .option('--amount <AMOUNT>', 'a part of it (default: all that is left to undo)');
  const id = '6b6a2f0c-8f5e-5c1b-9f43-0d8f2a1c7e55';
  const examples = [id, `${id} --amount 5.00`];
  return addMoneyOptions(command, start, declaration.operation, examples);
}

/** Adds a command that uses a hold up: `wallet capture HOLD_ID`. */
export function addHoldCommand(
  program: Command,
  start: Start,
  declaration: Declaration & { readonly amount: string; readonly examples: readonly string[] },
): Command {
  const command = program
    .command(declaration.name)
    .description(declaration.description)
    .argument('<HOLD_ID>', 'the hold: its id, or 8 or more characters of it')
    .option(
      '--currency <CODE>',
      "ISO 4217 code of the wallet (default: the hold's own; for a part of an id WALLET_CURRENCY, the profile, BRL)",
    )
    .option('--amount <AMOUNT>', declaration.amount);
  const id = '6b6a2f0c-8f5e-5c1b-9f43-0d8f2a1c7e55';
  const examples = [id, ...declaration.examples.map((options) => `${id} ${options}`)];
  return addMoneyOptions(command, start, declaration.operation, examples, userOfHold);
}

const userRequired = 'e-mail address or id; required for staff';
const userOfHold = 'e-mail address or id (default for staff: the owner of the hold)';

function addMoneyOptions(
  command: Command,
  start: Start,
  operation: Operation,
  examples: readonly string[],
  userHelp = userRequired,
): Command {
  const lines = examples.map((example) => `  wallet ${command.name()} ${example}\n`).join('');
  return command
    .option('--user <USER>', userHelp)
    .option('--description <TEXT>', 'shown in lists and statements')
    .option('--reference <TEXT>', 'what you know it by, like the number of an invoice')
    .option('--meta <KEY=VALUE>', 'more about it, up to 16 pairs; can be repeated', collect)
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
