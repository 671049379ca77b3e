import type { Command } from 'commander';

import type { ExportsDownloadOptions } from '../commands/exports/download.ts';
import type { ExportsListOptions } from '../commands/exports/list.ts';
import type { StatementExportOptions } from '../commands/statements/export.ts';
import type { StatementShowOptions } from '../commands/statements/show.ts';
import { addPageOptions, addWalletOptions, addZoneOption, collect } from './options.ts';
import type { GlobalOptions, Start } from './start.ts';

const id = '7b0c1f52-6a0e-5a59-9d5c-2f6f1f0c9a11';

/** statement show|export, exports list|show|wait|download. */
export function addStatementCommands(program: Command, start: Start): void {
  const statement = program.command('statement').description('account statements');
  addShow(statement, start);
  addExport(statement, start);
  const exports = program.command('exports').description('statements in files');
  addReads(exports, start);
  addDownload(exports, start);
}

function addRangeOptions(command: Command): Command {
  addWalletOptions(command)
    .option('--from <TIME>', 'a date or a time (default: 15 days before --to)')
    .option('--to <TIME>', 'a date, that day included, or a time, itself not (default: now)');
  return addZoneOption(command);
}

function addShow(statement: Command, start: Start): void {
  addRangeOptions(statement.command('show').description('show a statement'))
    .option('--operation <OPERATION>', 'only lines of this operation; can be repeated', collect)
    .option('--reverse', 'newest first')
    .option('--limit <N>', 'how many lines at most (default: all)')
    .option('--page-token <TOKEN>', 'go on where a statement ended')
    .addHelpText(
      'after',
      `
Examples:
  wallet statement show
  wallet statement show --from 2026-11-01 --to 2026-11-15
  wallet statement show --operation purchase --reverse --limit 10
  wallet statement show --user ana@example.com --timezone America/Sao_Paulo -o csv
  wallet statement show -o hledger | hledger -f - balance

Of up to 15 days it is answered at once; a longer one is queued as an export (exit code 10).`,
    )
    .action(async (options: StatementShowOptions, command: Command) => {
      const { output } = command.optsWithGlobals<GlobalOptions>();
      const isJournal = output === 'hledger';
      await start(
        command,
        async (context) => {
          const { runStatementShow } = await import('../commands/statements/show.ts');
          return runStatementShow(context, { ...options, isJournal });
        },
        { hasJournal: true },
      );
    });
}

function addExport(statement: Command, start: Start): void {
  addRangeOptions(statement.command('export').description('get a statement as a file'))
    .option('--format <FORMAT>', "csv, json, ndjson or hledger (default: the file's, else csv)")
    .option('--locale <LOCALE>', 'of a CSV file: en or pt-BR (default en)')
    .option('--bom', 'begin a CSV file with a byte order mark, for spreadsheets')
    .option('--file <FILE>', 'where to; - is stdout (default: named by currency and range)')
    .option('--email', "have it mailed to the wallet's owner as well")
    .option('--no-wait', 'only ask for it, and say its id')
    .option('--idempotency-key <KEY>', 'the same key never makes two')
    .option('--dry-run', 'let the server check it, and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  wallet statement export --from 2026-01-01 --to 2026-06-30
  wallet statement export --from 2026-01-01 --file year.journal
  wallet statement export --from 2026-01-01 --locale pt-BR --bom --file extrato.csv
  wallet statement export --from 2026-01-01 --format ndjson --file - | gzip > year.gz
  wallet statement export --from 2026-01-01 --email --no-wait

A file that exists is overwritten only after a yes, or with --yes.`,
    )
    .action(async (options: StatementExportOptions, command: Command) => {
      await start(command, async (context) => {
        const { runStatementExport } = await import('../commands/statements/export.ts');
        return runStatementExport(context, options);
      });
    });
}

function addReads(exports: Command, start: Start): void {
  const list = exports.command('list').description('list exports, newest first');
  list.option('--user <USER>', "whose wallets', by e-mail address or id (staff: default all)");
  addZoneOption(addPageOptions(list))
    .addHelpText('after', '\nExamples:\n  wallet exports list\n  wallet exports list --all --json')
    .action(async (options: ExportsListOptions, command: Command) => {
      await start(command, async (context) => {
        const { runExportsList } = await import('../commands/exports/list.ts');
        return runExportsList(context, options);
      });
    });
  addOne(exports, start, 'show', 'show how far an export is');
  addOne(exports, start, 'wait', 'wait until an export is written');
}

function addOne(exports: Command, start: Start, name: 'show' | 'wait', description: string): void {
  addZoneOption(exports.command(name).description(description))
    .argument('<ID>', 'its id')
    .addHelpText('after', `\nExamples:\n  wallet exports ${name} ${id}`)
    .action(async (exportId: string, _options: object, command: Command) => {
      await start(command, async (context) => {
        const { runExportsShow } = await import('../commands/exports/show.ts');
        return runExportsShow(context, exportId, name === 'wait');
      });
    });
}

function addDownload(exports: Command, start: Start): void {
  addZoneOption(exports.command('download').description('fetch the file of an export'))
    .argument('<ID>', 'its id')
    .option('--file <FILE>', 'where to; - is stdout (default: named by currency and range)')
    .option('--wait', 'wait until it is written')
    .addHelpText(
      'after',
      `
Examples:
  wallet exports download ${id}
  wallet exports download ${id} --wait --file year.csv

What came before an interruption is in FILE.partial: the same command goes on after it.`,
    )
    .action(async (exportId: string, options: ExportsDownloadOptions, command: Command) => {
      await start(command, async (context) => {
        const { runExportsDownload } = await import('../commands/exports/download.ts');
        return runExportsDownload(context, exportId, options);
      });
    });
}
