import type { Command } from 'commander';

import { checkConfirmable } from '../../shared/confirm.ts';
import type { Start } from '../../shared/start.ts';
import type { Context } from '../../../context.ts';
import { failUsage, succeed, type CommandOutcome } from '../../../outcome.ts';
import { openBatchInput } from '../rows/input.ts';
import { InputError } from '../rows/raw-row.ts';
import { failInput } from '../run-into.ts';
import { checkReversal, type ReversalOptions } from './check-options.ts';
import { checkAndReverse } from './check-and-reverse.ts';

const help = `
RESULTS is the results file of wallet batch run, or of an unfinished run its .partial file. Each
deposit, withdraw, purchase, transfer and capture that it says was done is undone by a reversal of
its amount; one of which a part was undone before is refused. Of each hold, what is left is
released. Rows that failed are skipped. A reversal, cancellation or release cannot be undone: its
row is invalid.

Rows with the status replayed were done before that run, perhaps by another batch: they are left,
and counted, unless --include-replayed is given. Rows of unknown outcome are left: run the batch
again first, so that each has an outcome.

The key of an undo is made from the transaction's id. So the same command can be run again, after a
failure or by mistake, and undoes nothing twice. Results have the columns of wallet batch run; row
is the row of RESULTS.

Exit codes are those of wallet batch run.

Examples:
  wallet batch reverse payroll.csv.results.csv --dry-run
  wallet batch reverse payroll.csv.results.csv --yes
  wallet batch reverse out.ndjson --results undone.csv --include-replayed`;

/** Adds `wallet batch reverse`. */
export function addBatchReverse(batch: Command, start: Start): void {
  batch
    .command('reverse')
    .description('undo what a results file says was done')
    .argument('<RESULTS>', 'the results file of a batch, or - for standard input')
    .option('--input-format <FORMAT>', 'csv or ndjson (default: by the ending of the name)')
    .option('--include-replayed', 'undo replayed rows too: an earlier run did them')
    .option('--results <FILE>', 'file for the result of each undo (default RESULTS.reversed.csv)')
    .option('--overwrite', 'replace any file that has the name of the results')
    .option('--resume', 'only resume an unfinished run')
    .option('--dry-run', 'let the server check the undos, and change nothing')
    .option('--max-errors <N>', 'stop after this many failed rows')
    .addHelpText('after', help)
    .action(async (file: string, options: ReversalOptions, command: Command) => {
      await start(command, (context) => runBatchReverse(context, file, options));
    });
}

async function runBatchReverse(
  context: Context,
  file: string,
  options: ReversalOptions,
): Promise<CommandOutcome> {
  const checked = checkReversal(file, options);
  if (!checked.ok) return checked;
  const reversal = checked.value;
  const confirmable = reversal.isDryRun
    ? succeed(undefined)
    : checkConfirmable(context, 'undoing a batch');
  if (!confirmable.ok) return confirmable;
  const input = await openBatchInput(context, file);
  if (!input.ok) {
    const { message, field, hint } = input.failure;
    const partial = hint ?? 'an unfinished run has its results in the .partial file beside';
    return field === 'file' ? failUsage('file', message, partial) : input;
  }
  try {
    return await checkAndReverse(context, reversal, input.value);
  } catch (error) {
    if (error instanceof InputError) return failInput(file, error);
    throw error;
  } finally {
    await input.value.close();
  }
}
