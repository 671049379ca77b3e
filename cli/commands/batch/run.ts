import type { Command } from 'commander';

import { checkBatch, type BatchRunOptions } from './check-options.ts';
import { checkAndRun } from './check-and-run.ts';
import { openBatchInput } from './rows/input.ts';
import { InputError } from './rows/raw-row.ts';
import { failInput } from './run-into.ts';
import { checkConfirmable } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import type { Start } from '../shared/start.ts';

const help = `
Columns: operation, amount, currency, user, parent_id, description, merchant, key, to, via,
reference, metadata, meta.KEY, expires_in, expires_at, keep_rest. The first line of a CSV file
names its columns; an NDJSON file has one object per line. Rows without any text are skipped, blanks
around cells are too. UTF-16 with a byte order mark is read as well as UTF-8.

Operations: deposit, withdraw, purchase, transfer, hold, capture, release, reversal, cancellation.

A transfer names who is paid in to, by e-mail address or id. via is the account outside of a deposit
or withdraw. A reversal or cancellation with an amount undoes a part of its parent. metadata is a
JSON object of texts; meta.order is its key order in a column of its own.

A hold is for a merchant, a user (to) or an account outside (via). expires_in, like 7d, or
expires_at, a time with its offset, says when it ends. A capture or release names its hold as
parent_id; with an amount it uses a part. What a capture leaves is released, unless keep_rest is
true.

The key of a row is its column key; no two rows may have the same. Without one, it is made from
--batch-id, what the row moves (operation, amount, currency, user, parent, merchant, to, via,
keep_rest; not its description, reference, metadata or the end of a hold), and how many equal rows
came before it. So the same file can be run again, corrected or after a failure, and only new rows
are run. To run an equal file as a new batch (next month's, for example), use another batch id.
Without --batch-id, each row needs a key.

All rows are checked before the first is sent. Invalid rows are reported, and the others are sent.
If rows that were paid under the same batch id have
changed, or there are more new rows than the last file had unpaid ones, the command asks. Without a
terminal, or with --yes, that needs --allow-new-rows.

Results, one row each: row, status (done, replayed, rejected, unknown, invalid), operation, amount,
currency, user, transaction_id, user_id, balance, reason, field, message. Rows count from 1, without
the header. Ctrl-C waits for the rows that were sent; the same command resumes after them.

Results of an earlier run are replaced after confirmation, or with --yes. Any other existing file is
kept unless --overwrite is given. Links, and files that other users own or can change, are refused.

Exit code 3: some rows failed, the others are done.

Examples:
  wallet batch run payroll.csv --batch-id payroll-2026-11 --dry-run
  wallet batch run payroll.csv --batch-id payroll-2026-11 --yes
  generate-rows | wallet batch run - --input-format ndjson --results out.csv --batch-id job-7 -y`;

/** Adds `wallet batch run`. */
export function addBatchRun(batch: Command, start: Start): void {
  batch
    .command('run')
    .description('run every row of a CSV or NDJSON file exactly once')
    .argument('<FILE>', 'the file, or - for standard input')
    .option('--input-format <FORMAT>', 'csv or ndjson (default: by the ending of the name)')
    .option('--delimiter <NAME>', 'of CSV: comma, semicolon, tab or pipe (default: comma)')
    .option('--batch-id <NAME>', 'name of the batch; rows without a key get one made from it')
    .option('--user <USER>', 'e-mail or id of the user, for rows without one')
    .option('--currency <CODE>', 'for rows without one (default WALLET_CURRENCY, the profile, BRL)')
    .option('--results <FILE>', 'file for the result of each row (default FILE.results.csv)')
    .option('--overwrite', 'replace any file that has the name of the results')
    .option('--allow-empty', 'take a file without rows')
    .option('--allow-new-rows', 'pay new rows of a batch that was run before')
    .option('--resume', 'only resume an unfinished run')
    .option('--dry-run', 'let the server check the rows, and change nothing')
    .option('--max-errors <N>', 'stop after this many failed rows')
    .addHelpText('after', help)
    .action(async (file: string, options: BatchRunOptions, command: Command) => {
      await start(command, (context) => runBatchRun(context, file, options));
    });
}

/** `wallet batch run`: many transactions from a file, each once, however often it is run. */
async function runBatchRun(
  context: Context,
  file: string,
  options: BatchRunOptions,
): Promise<CommandOutcome> {
  const checked = checkBatch(context, file, options);
  if (!checked.ok) return checked;
  const batch = checked.value;
  const confirmable = batch.isDryRun
    ? succeed(undefined)
    : checkConfirmable(context, 'running a batch');
  if (!confirmable.ok) return confirmable;
  const input = await openBatchInput(context, file);
  if (!input.ok) return input;
  try {
    return await checkAndRun(context, batch, input.value);
  } catch (error) {
    if (error instanceof InputError) return failInput(file, error);
    throw error;
  } finally {
    await input.value.close();
  }
}
