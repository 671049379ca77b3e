import { ofHold } from '../../../core/operations.ts';
import { succeed, type Result } from '../../../core/reasons.ts';
import { classifyDbError, readClock, type Db } from '../../platform/db/db.ts';
import type { Entry } from '../domain.ts';
import type { AuditedDecision } from '../requests/audited-command.ts';
import { readHolds } from '../store/holds.ts';

type Outcomes = readonly Result<AuditedDecision>[];

/**
 * The outcomes, of which those that repeat a hold, capture or release have the hold as it is now.
 * They are true without it, so it is absent where the database is unavailable.
 */
export async function addReplayedHolds(db: Db, outcomes: Outcomes): Promise<Outcomes> {
  const keys = outcomes.flatMap((outcome) => {
    const id = outcome.ok && !outcome.value.hold ? holdIdOf(outcome.value.entry) : undefined;
    return outcome.ok && id !== undefined ? [{ id, walletId: outcome.value.entry.wallet.id }] : [];
  });
  if (keys.length === 0) return outcomes;
  const read = db.snapshot(async (tx) => ({
    atMs: await readClock(tx),
    holds: await readHolds(tx, keys),
  }));
  const found = await read.catch((err: unknown) => {
    if (classifyDbError(err) === 'transient') return undefined;
    throw err;
  });
  if (!found) return outcomes;
  return outcomes.map((outcome) => {
    if (!outcome.ok || outcome.value.hold) return outcome;
    const hold = found.holds.get(holdIdOf(outcome.value.entry) ?? '');
    return hold ? succeed({ ...outcome.value, hold: { hold, atMs: found.atMs } }) : outcome;
  });
}

/** The hold that an entry of the payer's wallet places or uses. */
function holdIdOf({ id, operation, parentId }: Entry): string | undefined {
  if (operation === 'hold') return id;
  return ofHold(operation) ? parentId : undefined;
}
