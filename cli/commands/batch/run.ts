import type { Command } from 'commander';
import { stat } from 'node:fs/promises';

import { checkBatch, type Batch, type BatchRunOptions } from './check-options.ts';
import { confirmBatch } from './confirm.ts';
import { prepareChunks } from './prepare.ts';
import { checkResultsTarget } from './results/target.ts';
import { openInput, readRows } from './rows/rows.ts';
import { createBatchUsers } from './rows/users.ts';
import { runInto, type RunInput } from './run-into.ts';
import { checkConfirmable } from '../shared/confirm.ts';
import { isStaff } from '../money/confirm.ts';
import type { Context } from '../../context.ts';
import { fail, succeed, type CommandOutcome } from '../../outcome.ts';
import { identifyActor, resolveUser, type Actor } from '../users/actor.ts';
import type { Start } from '../shared/start.ts';

const help = `
Columns: operation, amount, currency, user, parent_id, description, merchant, key. The first line of
a CSV file names its columns; an NDJSON file has one object per line.

The key of a row is its column key. Without one, it is made from --batch-id, the content of the row,
and how many equal rows came before it. So the same file can be run again, corrected or after a
failure, and only new rows are run. To run an equal file as a new batch (next month's, for example),
use another batch id.

Results, one row each: row, status (done, replayed, rejected, unknown, invalid), transaction_id,
user_id, balance, reason, field. Rows count from 1, without the header. Ctrl-C waits for the rows
that were sent; the same command resumes after them.

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
    .option('--batch-id <NAME>', 'name of the batch; rows without a key get one made from it')
    .option('--user <USER>', 'e-mail or id of the user, for rows without one')
    .option('--currency <CODE>', 'for rows without one (default WALLET_CURRENCY, the profile, BRL)')
    .option('--results <FILE>', 'file for the result of each row (default FILE.results.csv)')
    .option('--overwrite', 'replace any file that has the name of the results')
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
  const checked = await checkBatch(context, file, options);
  if (!checked.ok) return checked;
  const batch = checked.value;
  const confirmable = batch.isDryRun
    ? succeed(undefined)
    : checkConfirmable(context, 'running a batch');
  if (!confirmable.ok) return confirmable;
  const target = await checkResultsTarget(context, {
    path: batch.results,
    mayOverwrite: options.overwrite === true,
    isKnownToBeOurs: batch.isDryRun && options.results === undefined,
  });
  if (!target.ok) return target;
  const self = await identifyActor(context);
  if (!self.ok) return self;
  if (!self.value) return fail('UNEXPECTED', 'the server answered without a user');
  const user = await resolveUser(context, batch.user, true);
  if (!user.ok) return user;
  const confirmed = await confirmBatch(context, batch, self.value);
  if (!confirmed.ok) return confirmed;
  return runInto(
    context,
    self.value,
    { ...batch, replaced: target.value },
    toRunInput(context, { ...batch, user: user.value?.id }, self.value),
  );
}

function toRunInput(context: Context, batch: Batch, self: Actor): RunInput {
  const { file, format, isDryRun, maxErrors, batchId, user, currency } = batch;
  return {
    ...{ file, isDryRun, maxErrors },
    identity: { batchId: batchId ?? '', user: user ?? '', currency, format },
    open: async (resumed) => {
      const size = file === '-' ? undefined : (await stat(file)).size;
      const reader = readRows(
        file === '-' ? (context.io.stdin as AsyncIterable<Buffer>) : openInput(file),
        format,
      );
      return {
        // Rows are read ahead of their results.
        partOf: (rows) =>
          size ? Math.min(1, (reader.bytesRead() / size) * (rows / reader.rowsRead())) : undefined,
        source: prepareChunks({
          ...{ reader, resumed, batchId, users: createBatchUsers(context, self) },
          defaults: {
            ...{ currency, user, isStaff: isStaff(self.role) },
            isKeyNeeded: batchId === undefined,
          },
        }),
      };
    },
  };
}
