import type { Command } from 'commander';

import {
  WalletServiceService,
  type Checkpoint,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { numberColumn, textColumn, timeColumn } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';
import { addPageOptions, zoneOption } from '../shared/options.ts';
import { openList, printPages, type PageOptions } from '../shared/paging.ts';
import type { Start } from '../shared/start.ts';

const maxPageSize = 500;

/** Adds `wallet audit checkpoints`. */
export function addAuditCheckpoints(audit: Command, start: Start): void {
  const list = audit
    .command('checkpoints')
    .description('list the signed checkpoints of the ledger, newest first (operators and admins)');
  addPageOptions(list)
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet audit checkpoints --limit 24
  wallet audit checkpoints --all -o ndjson > checkpoints.ndjson

JSON has the signed text and the signature of each, too. Keep copies where the server cannot
change them: \`walletd checkpoint export\` writes one with all wallets, for \`walletd verify --against\`.`,
    )
    .action(async (options: PageOptions, command: Command) => {
      await start(command, (context) => runAuditCheckpoints(context, options));
    });
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const columnsOf = (timezone: string): readonly Column<Checkpoint>[] => [
  textColumn('number', 'NUMBER', ({ number }) => number.toString(), { isKey: true }),
  timeColumn('taken_at', 'TIME', timezone, ({ takenAt }) => takenAt, { isKey: true }),
  numberColumn('wallets', 'WALLETS', ({ wallets }) => wallets.toString()),
  numberColumn('transactions', 'TRANSACTIONS', ({ transactions }) => transactions.toString()),
  textColumn('key_id', 'KEY', ({ keyId }) => keyId),
  textColumn('root', 'ROOT', ({ root }) => toHex(root), { isId: true }),
];

/** docs/cli.md, "JSON": the shape of a checkpoint. */
const toJson = (checkpoint: Checkpoint): object => {
  const { number, takenAt, wallets, transactions, root, keyId, text, signature } = checkpoint;
  return {
    ...{ number: Number(number), takenAt: takenAt?.toISOString() },
    ...{ wallets: Number(wallets), transactions: Number(transactions) },
    ...{ root: toHex(root), keyId, text, signature },
  };
};

/** `wallet audit checkpoints`: newest first, as many pages as it takes. */
async function runAuditCheckpoints(
  context: Context,
  options: PageOptions,
): Promise<CommandOutcome> {
  const list = openList(context, options, columnsOf(context.settings.timezone), toJson);
  if (!list.ok) return list;
  const fetch = async (pageSize: number, pageToken: string) => {
    const method = WalletServiceService.listCheckpoints;
    const listed = await context.caller.call(method, { pageSize, pageToken }, 'read');
    if (!listed.ok) return listed;
    const { checkpoints: rows, nextPageToken } = listed.value;
    return succeed({ rows, nextPageToken });
  };
  const ifEmpty = 'no checkpoints yet: the daemon takes them, and so does walletd checkpoint';
  return printPages(context, list.value, { ifEmpty, maxPageSize, fetch });
}
