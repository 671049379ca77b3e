import type { Command } from 'commander';

import { succeed, type Result } from '../../core/reasons.ts';
import { acceptClockAheadOnHost, type AheadRequest, type AheadWallet } from '../wallet/index.ts';
import { addExamples, addGroup, usageExitCode, type CommandLine } from './command-line.ts';
import type { HostRun } from './host-run.ts';
import { printFault, printLine } from './print.ts';
import { withDatabase } from './service-database.ts';

type AcceptOptions = {
  readonly wallet?: string;
  readonly userId?: string;
  readonly currency?: string;
  readonly all?: boolean;
  readonly note: string;
  readonly dryRun?: boolean;
};

const examples = [
  'walletd wallets accept-clock-ahead --all --note "clock was an hour ahead" --dry-run',
  'walletd wallets accept-clock-ahead --user-id ID --currency BRL --note "clock was set right"',
];

/** Adds `walletd wallets accept-clock-ahead`. */
export function addWalletsCommands(program: Command, { withConfig }: CommandLine): void {
  const wallets = addGroup(program, 'wallets', 'the wallet database, on this host', examples);
  const command = wallets
    .command('accept-clock-ahead')
    .description(
      'let wallets that were used while the clock was ahead go on, at the time of their last ' +
        'transaction, until the clock has caught up; set the clock right first',
    )
    .option('--wallet <id>', 'this wallet')
    .option('--user-id <id>', 'the wallet of this user; with --currency')
    .option('--currency <code>', 'which wallet of the user')
    .option('--all', 'every wallet that is ahead, instead of one')
    .requiredOption('--note <text>', 'why, for the audit log (required)')
    .option('--dry-run', 'say which wallets are ahead, and change nothing')
    .action(
      withConfig((run, options: AcceptOptions) => acceptClockAhead(run, options), {
        databases: ['wallet'],
      }),
    );
  addExamples(command, examples);
}

/** Lets wallets that are ahead of the clock go on, straight in the wallet database. */
async function acceptClockAhead(run: HostRun, options: AcceptOptions): Promise<number> {
  const wallet = readWallet(options);
  if (!wallet) {
    printLine('walletd: name one wallet (--wallet, or --user-id and --currency), or all (--all)');
    return usageExitCode;
  }
  const request = { wallet, note: options.note, isDryRun: options.dryRun === true };
  let count = 0;
  let busy = 0;
  const done = await withDatabase('wallet', run, async (db): Promise<Result<void>> => {
    for await (const accepted of acceptClockAheadOnHost(db, request)) {
      if (!accepted.ok && wallet === 'all' && accepted.rejection.reason === 'WALLET_BUSY') {
        busy += 1;
        continue;
      }
      if (!accepted.ok) return accepted;
      printLine(`walletd: ${describe(accepted.value, request)}`);
      if (accepted.value.isNew) count += 1;
    }
    return succeed(undefined);
  });
  if (!done.ok) return printFault(done.fault);
  if (options.dryRun) printLine(`walletd: ${count} to accept; nothing was changed (--dry-run)`);
  else printLine(`walletd: wallets that may go on now: ${count}`);
  if (busy === 0) return 0;
  printLine(`walletd: wallets that another transaction has locked: ${busy}; run the command again`);
  return 1;
}

/** Undefined unless exactly one of the three ways is taken. */
function readWallet(options: AcceptOptions): AheadRequest['wallet'] | undefined {
  const { wallet: id, userId, currency, all } = options;
  const isByUser = userId !== undefined || currency !== undefined;
  if (Number(all === true) + Number(id !== undefined) + Number(isByUser) !== 1) return undefined;
  if (all === true) return 'all';
  if (id !== undefined) return { id };
  return userId === undefined || currency === undefined ? undefined : { userId, currency };
}

function describe(
  { userId, currency, untilMs, isNew }: AheadWallet,
  { isDryRun }: AheadRequest,
): string {
  const until = new Date(untilMs).toISOString();
  const wallet = `the ${currency} wallet of ${userId}`;
  if (!isNew) return `${wallet} was accepted before, up to ${until}`;
  return isDryRun
    ? `${wallet} would be accepted up to ${until}`
    : `${wallet} goes on at ${until}, until the clock has caught up`;
}
