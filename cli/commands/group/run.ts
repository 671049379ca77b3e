import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import type { ViewOptions } from '../../output/choose-columns.ts';
import { failInput } from '../batch/run-into.ts';
import { openBatchInput } from '../batch/rows/input.ts';
import { InputError } from '../batch/rows/raw-row.ts';
import { checkConfirmable } from '../shared/confirm.ts';
import { addViewOptions } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { checkGroup, type GroupRunOptions } from './check-options.ts';
import { confirmGroup } from './confirm.ts';
import { nameGroup, readGroup } from './read-group.ts';
import { chooseResultColumns } from './results.ts';
import { sendGroup } from './send.ts';

const help = `
Up to 16 transactions of a file happen together or not at all: a payment with its fee, a sum split
between users, an exchange. Columns and formats are those of wallet batch run; the operation fee is
possible in groups only, and goes to external:fees.

The group has the id --group-id, or one made from that name; its rows have keys made from it, unless
they have a key of their own. So the same command can be run again after a failure: what was done is
shown, and not done twice. With keys made from it, another file under the same --group-id is refused
once the first is done; rows with new keys of their own are another group. Without --group-id the id
is made from the rows themselves: an equal file is the same group, and to run it anew it needs a
--group-id.

All rows are checked before anything is sent. If one row is refused, no row is done: that row says
why, and the others have the reason GROUP_ABORTED.

Results: row, status (done, replayed, rejected, unknown, invalid), operation, amount, currency,
user, transaction_id, user_id, group_id, balance, reason, field, message. Rows count from 1, without
the header.

Examples:
  wallet group run purchase-with-fee.csv --group-id order-1042 --dry-run
  wallet group run split.csv --group-id rent-2026-11 --yes
  generate-rows | wallet group run - --input-format ndjson --group-id job-7 -y`;

/** Adds `wallet group run`. */
export function addGroupRun(group: Command, start: Start): void {
  const run = group
    .command('run')
    .description('run all rows of a CSV or NDJSON file together, or none')
    .argument('<FILE>', 'the file, or - for standard input')
    .option('--group-id <NAME>', 'name of the group, or a UUID (default: made from the rows)')
    .option('--input-format <FORMAT>', 'csv or ndjson (default: by the ending of the name)')
    .option('--delimiter <NAME>', 'of CSV: comma, semicolon, tab or pipe (default: comma)')
    .option('--user <USER>', 'e-mail or id of the user, for rows without one')
    .option('--currency <CODE>', 'for rows without one (default WALLET_CURRENCY, the profile, BRL)')
    .option('--dry-run', 'let the server check the group, and change nothing');
  addViewOptions(run)
    .addHelpText('after', help)
    .action(async (file: string, options: GroupRunOptions & ViewOptions, command: Command) => {
      await start(command, (context) => runGroup(context, file, options));
    });
}

/** `wallet group run`: the rows of a file, all of them or none. */
async function runGroup(
  context: Context,
  file: string,
  options: GroupRunOptions & ViewOptions,
): Promise<CommandOutcome> {
  const checked = checkGroup(context, file, options);
  if (!checked.ok) return checked;
  const view = chooseResultColumns(options, context.manner.output);
  if (!view.ok) return view;
  const group = checked.value;
  const confirmable = group.isDryRun
    ? succeed(undefined)
    : checkConfirmable(context, 'running a group');
  if (!confirmable.ok) return confirmable;
  const input = await openBatchInput(context, file);
  if (!input.ok) return input;
  try {
    const read = await readGroup(context, group, input.value);
    if (!read.ok) return read;
    const named = nameGroup(group, read.value);
    const confirmed = await confirmGroup(context, named, read.value.self);
    if (!confirmed.ok) return confirmed;
    return await sendGroup(context, named, view.value);
  } catch (error) {
    if (error instanceof InputError) return failInput(file, error);
    throw error;
  } finally {
    await input.value.close();
  }
}
