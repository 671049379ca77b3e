import type { Command } from 'commander';

import type { BatchRunOptions } from '../commands/batch/run.ts';
import type { Start } from './start.ts';

/** batch run. */
export function addBatchCommands(program: Command, start: Start): void {
  program
    .command('batch')
    .description('many transactions from a file')
    .command('run')
    .description('do every row of a CSV or NDJSON file, each once')
    .argument('<FILE>', 'the file, or - for standard input')
    .option('--input-format <FORMAT>', 'csv or ndjson (default: by the ending of the name)')
    .option('--batch-id <NAME>', 'names the batch: makes a key for each row without one')
    .option('--user <USER>', 'e-mail or id of the user, for rows without one')
    .option('--currency <CODE>', 'for rows without one (default WALLET_CURRENCY, the profile, BRL)')
    .option('--results <FILE>', 'where to tell what became of each row (default FILE.results.csv)')
    .option('--overwrite', 'replace whatever file has the name of the results')
    .option('--resume', 'only go on with an unfinished run')
    .option('--dry-run', 'have the server decide, and change nothing')
    .option('--max-errors <N>', 'stop once so many rows have failed')
    .addHelpText(
      'after',
      `
Columns: operation, amount, currency, user, parent_id, description, merchant, key. The first line of
a CSV file names those that are there; an NDJSON file has one object a line.

A row's key is its column key, or is made from --batch-id, the row's content, and how often that
content has come before. So the same file can be run again, corrected or after a failure, and only
rows that are new are paid; an equal file that is meant anew (next month's) needs its own batch id.

Results, one row each: row, status (done, replayed, rejected, invalid), transaction_id, user_id,
balance, reason, field. Rows count from 1, without the header. Ctrl-C waits for what was sent; the
same command goes on from there.

Results of an earlier run are replaced after a yes, or with --yes. Any other file of that name stays,
unless --overwrite is given. A link, and files that other users made or may change, are refused.

Exit code 3: some rows failed, the others are done.

Examples:
  wallet batch run payroll.csv --batch-id payroll-2026-11 --dry-run
  wallet batch run payroll.csv --batch-id payroll-2026-11 --yes
  generate-rows | wallet batch run - --input-format ndjson --results out.csv --batch-id job-7 -y`,
    )
    .action(async (file: string, options: BatchRunOptions, command: Command) => {
      await start(command, async (context) => {
        const { runBatchRun } = await import('../commands/batch/run.ts');
        return runBatchRun(context, file, options);
      });
    });
}
