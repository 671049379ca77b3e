import type { Context } from '../../context.ts';
import { getExport, waitForExport } from './shared.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { exportColumns, toExportJson } from '../../output/exports.ts';
import { printObject } from '../../output/print.ts';

/** `wallet exports show`: as it is now. `wallet exports wait`: once it is written. */
export async function runExportsShow(
  context: Context,
  id: string,
  isAwaited: boolean,
): Promise<CommandOutcome> {
  const exportId = id.toLowerCase();
  const got = isAwaited
    ? await waitForExport(context, exportId)
    : await getExport(context, exportId);
  if (!got.ok) return got;
  const columns = exportColumns(context.settings.timezone);
  await printObject(context, { made: got.value }, columns, toExportJson);
  return done;
}
