import type { Command } from 'commander';

// Options that several commands take, for `Command.option(...)`.
export const currencyOption = [
  '--currency <CODE>',
  'ISO 4217 code (default WALLET_CURRENCY, the profile, BRL)',
] as const;
export const dryRunOption = [
  '--dry-run',
  'let the server check the command, and change nothing',
] as const;
export const zoneOption = [
  '--timezone <ZONE>',
  "IANA time zone (default: the terminal's)",
] as const;

/** Whose wallet, and which. */
export function addWalletOptions(command: Command): Command {
  return command
    .option('--user <USER>', 'e-mail address or id; required for staff')
    .option(...currencyOption);
}

/** How much of a list, and which columns of it: the options of every list. */
export function addPageOptions(command: Command): Command {
  command
    .option('--limit <N>', 'how many at most (default 50)')
    .option('--all', 'all of them')
    .option('--page-token <TOKEN>', 'continue a list from this token');
  return addViewOptions(command);
}

/** The columns of what is printed as a list. */
export function addViewOptions(command: Command): Command {
  return command
    .option('--wide', 'cut nothing and leave no column out, however narrow the terminal is')
    .option(
      '--columns <NAMES>',
      'only these columns, in this order, like date,balance (table, csv)',
    );
}

/** For options that can be given more than once. */
export const collect = (value: string, values: readonly string[] = []): readonly string[] => [
  ...values,
  value,
];
