import type { Context } from '../../context.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { formatCard } from '../../output/card.ts';
import { askYes } from '../shared/confirm.ts';
import type { Actor } from '../users/actor.ts';
import type { Batch } from './check-options.ts';

/** Asks for leave to run a batch, showing where, as whom and what. */
export async function confirmBatch(
  context: Context,
  batch: Batch,
  self: Actor,
): Promise<Outcome<undefined>> {
  if (batch.isDryRun || context.isConfirmed) return succeed(undefined);
  const card = formatCard(
    { io: { ...context.io, stdout: context.io.stderr }, manner: context.manner },
    [
      ['server', context.settings.server.text],
      ['as', `${self.email ?? self.id} (${self.role ?? 'unknown role'})`],
      ['file', batch.file],
      ['batch id', batch.batchId],
      ['results', batch.results],
    ],
  );
  await context.io.stderr.write(card);
  return askYes(context, 'Run this batch?');
}
