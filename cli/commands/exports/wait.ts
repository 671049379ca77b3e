import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { exportColumns } from './columns.ts';
import { printObject } from '../../output/print.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { exampleId, waitForExport } from './shared.ts';
import { resolveExportId } from './find.ts';
import { toExportJson } from '../../../lib/json/exports.ts';

/** Adds `wallet exports wait`. */
export function addExportsWait(exports: Command, start: Start): void {
  exports
    .command('wait')
    .description('wait until an export is written')
    .option(...zoneOption)
    .argument('<ID>', 'its id, or 8 or more characters of its beginning')
    .addHelpText('after', `\nExamples:\n  wallet exports wait ${exampleId}`)
    .action(async (id: string, _options: unknown, command: Command) => {
      await start(command, (context) => runExportsWait(context, id));
    });
}

/** `wallet exports wait`: the export once it is written. */
async function runExportsWait(context: Context, id: string): Promise<CommandOutcome> {
  const exportId = await resolveExportId(context, id);
  if (!exportId.ok) return exportId;
  const got = await waitForExport(context, exportId.value);
  if (!got.ok) return got;
  const columns = exportColumns(context.settings.timezone);
  await printObject(context, { made: got.value }, columns, toExportJson);
  return done;
}
