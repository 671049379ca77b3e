import type { Context } from '../../context.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { formatCard } from '../../output/card.ts';
import { askYes } from '../shared/confirm.ts';
import type { Actor } from '../users/actor.ts';
import type { Batch } from './check-options.ts';
import type { Survey } from './survey.ts';
import { describeTotal } from './totals.ts';

/** Asks for leave to run a batch, showing where, as whom, and what it moves. */
export async function confirmBatch(
  context: Context,
  batch: Batch,
  self: Actor,
  survey: Survey,
): Promise<Outcome<undefined>> {
  if (batch.isDryRun || context.isConfirmed) return succeed(undefined);
  const { rows, invalid, totals } = survey;
  const card = formatCard(
    { io: { ...context.io, stdout: context.io.stderr }, manner: context.manner },
    [
      ['server', context.settings.server.text],
      ['as', `${self.email ?? self.id} (${self.role ?? 'unknown role'})`],
      ['file', batch.file],
      ['batch id', batch.batchId],
      ['results', batch.results],
      ['rows', invalid === 0 ? String(rows) : `${rows}, ${invalid} of them invalid`],
      ...totals.map((total) => [total.operation, describeTotal(total)] as const),
    ],
  );
  await context.io.stderr.write(card);
  return askYes(context, 'Run this batch?');
}
