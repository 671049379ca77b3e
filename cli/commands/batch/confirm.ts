import type { Context } from '../../context.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { formatCard } from '../../output/card.ts';
import { askYes } from '../shared/confirm.ts';
import type { Actor } from '../users/actor.ts';
import type { Batch } from './check-options.ts';
import type { Survey } from './survey.ts';
import { describeTotal, type Total } from './totals.ts';

/** Asks for leave to run a batch, showing where, as whom, and what it moves. */
export async function confirmBatch(
  context: Context,
  batch: Batch,
  self: Actor,
  survey: Survey,
): Promise<Outcome<undefined>> {
  if (batch.isDryRun || context.isConfirmed) return succeed(undefined);
  const { rows, invalid, totals } = survey;
  const hasPaid = totals.some(({ status }) => status === 'paid');
  const card = formatCard(
    { io: { ...context.io, stdout: context.io.stderr }, manner: context.manner },
    [
      ['server', context.settings.server.text],
      ['as', `${self.email ?? self.id} (${self.role ?? 'unknown role'})`],
      ['file', batch.file],
      ['batch id', batch.batchId],
      ['results', batch.results],
      ['rows', invalid === 0 ? String(rows) : `${rows}, ${invalid} of them invalid`],
      ...totals.map((total) => describeShare(total, hasPaid)),
      ['rest', totals.some(isCapture) ? restText : undefined],
    ],
  );
  await context.io.stderr.write(card);
  return askYes(context, 'Run this batch?');
}

const isCapture = ({ operation, status }: Total): boolean =>
  operation === 'capture' && status !== 'paid';
const restText = 'what a capture leaves of its hold is released, unless the row has keep_rest';

/** Where some rows were paid before, each line says whether it is paid now. */
function describeShare(total: Total, hasPaid: boolean): readonly [string, string] {
  const moved = describeTotal(total);
  if (total.status === 'paid') return [total.operation, `${moved}: paid before, not paid again`];
  return [total.operation, hasPaid ? `${moved}: new, paid now` : moved];
}
