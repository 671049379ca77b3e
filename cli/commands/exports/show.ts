import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { exportColumns } from './columns.ts';
import { printObject } from '../../output/print.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { exampleId, getExport } from './shared.ts';
import { resolveExportId } from './find.ts';
import { toExportJson } from '../../../lib/json/exports.ts';

/** Adds `wallet exports show`. */
export function addExportsShow(exports: Command, start: Start): void {
  exports
    .command('show')
    .description('show the status of an export')
    .option(...zoneOption)
    .argument('<ID>', 'its id, or 8 or more characters of its beginning')
    .addHelpText('after', `\nExamples:\n  wallet exports show ${exampleId}`)
    .action(async (id: string, _options: unknown, command: Command) => {
      await start(command, (context) => runExportsShow(context, id));
    });
}

/** `wallet exports show`: the export as it is now. */
async function runExportsShow(context: Context, id: string): Promise<CommandOutcome> {
  const exportId = await resolveExportId(context, id);
  if (!exportId.ok) return exportId;
  const got = await getExport(context, exportId.value);
  if (!got.ok) return got;
  const columns = exportColumns(context.settings.timezone);
  await printObject(context, { made: got.value }, columns, toExportJson);
  return done;
}
