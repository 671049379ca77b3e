import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { exportColumns } from './columns.ts';
import { printObject } from '../../output/print.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';
import { exampleId, waitForExport } from './shared.ts';
import { toExportJson } from '../../../lib/json/exports.ts';

/** Adds `wallet exports wait`. */
export function addExportsWait(exports: Command, start: Start): void {
  exports
    .command('wait')
    .description('wait until an export is written')
    .option(...zoneOption)
    .argument('<ID>', 'its id')
    .addHelpText('after', `\nExamples:\n  wallet exports wait ${exampleId}`)
    .action(async (id: string, _options: unknown, command: Command) => {
      await start(command, (context) => runExportsWait(context, id));
    });
}

/** `wallet exports wait`: the export once it is written. */
async function runExportsWait(context: Context, id: string): Promise<CommandOutcome> {
  const got = await waitForExport(context, id.toLowerCase());
  if (!got.ok) return got;
  const columns = exportColumns(context.settings.timezone);
  await printObject(context, { made: got.value }, columns, toExportJson);
  return done;
}
