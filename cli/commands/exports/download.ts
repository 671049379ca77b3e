import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { checkDone, exampleId, getExport, waitForExport } from './shared.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { resolveExportId } from './find.ts';
import { fetchInto } from '../statements/export.ts';
import {
  checkTargets,
  hideNeighboursOption,
  readProofWish,
  type ProofOptions,
} from '../statements/proof/save.ts';
import { zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';

type ExportsDownloadOptions = ProofOptions & { readonly file?: string; readonly wait?: boolean };

/** Adds `wallet exports download`. */
export function addExportsDownload(exports: Command, start: Start): void {
  exports
    .command('download')
    .description('download the file of an export')
    .option(...zoneOption)
    .argument('<ID>', 'its id, or 8 or more characters of its beginning')
    .option('--file <FILE>', 'output file; - is stdout (default: named by currency and range)')
    .option('--wait', 'wait until it is written')
    .option('--proof', 'also write FILE.proof.json, which proves the file without the server')
    .option(...hideNeighboursOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet exports download ${exampleId}
  wallet exports download ${exampleId} --wait --file year.csv
  wallet exports download ${exampleId} --proof --file year.csv

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
  options: ExportsDownloadOptions,
): Promise<CommandOutcome> {
  const { file, wait: isAwaited = false } = options;
  const wish = readProofWish(options, file);
  if (!wish.ok) return wish;
  const targets =
    file === undefined ? succeed(undefined) : await checkTargets(context, file, wish.value);
  if (!targets.ok) return targets;
  const exportId = await resolveExportId(context, id);
  if (!exportId.ok) return exportId;
  const got = isAwaited
    ? await waitForExport(context, exportId.value)
    : await getExport(context, exportId.value);
  if (!got.ok) return got;
  const ready = checkDone(got.value);
  if (!ready.ok) return ready;
  return fetchInto(context, ready.value, { file, wish: wish.value }, targets.value);
}
