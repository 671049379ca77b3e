import { succeed, type Result } from '../../core/reasons.ts';
import { acceptClockAheadOnHost, type AheadRequest, type AheadWallet } from '../wallet/index.ts';
import type { HostRun } from './host-run.ts';
import { printFault, printLine } from './print.ts';
import { withDatabase } from './service-database.ts';

export type AcceptOptions = {
  readonly wallet?: string;
  readonly userId?: string;
  readonly currency?: string;
  readonly all?: boolean;
  readonly note: string;
  readonly dryRun?: boolean;
};

const usageExitCode = 2;

/** Lets wallets that are ahead of the clock go on, straight in the wallet database. */
export async function acceptClockAhead(run: HostRun, options: AcceptOptions): Promise<number> {
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
