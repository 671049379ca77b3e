import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { checkDone, exampleId, getExport, waitForExport } from './shared.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { checkTarget } from './save.ts';
import { resolveExportId } from './find.ts';
import { fetchInto } from '../statements/export.ts';
import { zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';

type ExportsDownloadOptions = { readonly file?: string; readonly wait?: boolean };

/** Adds `wallet exports download`. */
export function addExportsDownload(exports: Command, start: Start): void {
  exports
    .command('download')
    .description('download the file of an export')
    .option(...zoneOption)
    .argument('<ID>', 'its id, or 8 or more characters of its beginning')
    .option('--file <FILE>', 'output file; - is stdout (default: named by currency and range)')
    .option('--wait', 'wait until it is written')
    .addHelpText(
      'after',
      `
Examples:
  wallet exports download ${exampleId}
  wallet exports download ${exampleId} --wait --file year.csv

An interrupted download stays in FILE.partial; the same command resumes it.`,
    )
    .action(async (id: string, options: ExportsDownloadOptions, command: Command) => {
      await start(command, (context) => runExportsDownload(context, id, options));
    });
}

/** `wallet exports download`: goes on where an earlier one stopped. */
async function runExportsDownload(
  context: Context,
  id: string,
  { file, wait: isAwaited = false }: ExportsDownloadOptions,
): Promise<CommandOutcome> {
  const target = file === undefined ? succeed(undefined) : await checkTarget(context, file);
  if (!target.ok) return target;
  const exportId = await resolveExportId(context, id);
  if (!exportId.ok) return exportId;
  const got = isAwaited
    ? await waitForExport(context, exportId.value)
    : await getExport(context, exportId.value);
  if (!got.ok) return got;
  const ready = checkDone(got.value);
  if (!ready.ok) return ready;
  return fetchInto(context, ready.value, file, target.value);
}
