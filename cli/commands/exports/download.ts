import type { Context } from '../../context.ts';
import { checkDone, getExport, waitForExport } from './shared.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { checkTarget } from './save.ts';
import { fetchInto } from '../statements/export.ts';

export type ExportsDownloadOptions = { readonly file?: string; readonly wait?: boolean };

/** `wallet exports download`: goes on where an earlier one stopped. */
export async function runExportsDownload(
  context: Context,
  id: string,
  { file, wait: isAwaited = false }: ExportsDownloadOptions,
): Promise<CommandOutcome> {
  const target = file === undefined ? succeed(undefined) : await checkTarget(context, file);
  if (!target.ok) return target;
  const exportId = id.toLowerCase();
  const got = isAwaited
    ? await waitForExport(context, exportId)
    : await getExport(context, exportId);
  if (!got.ok) return got;
  const ready = checkDone(got.value);
  if (!ready.ok) return ready;
  return fetchInto(context, ready.value, file, target.value);
}
