import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type { TransactionItem } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { classifyDbError, type Db } from '../../platform/db/db.ts';
import type { AuditedDecision } from '../requests/audited-command.ts';
import { findMadeSince } from '../store/positions.ts';

type Outcomes = readonly Result<AuditedDecision>[];
type Item = Pick<TransactionItem, 'sentSince'>;

/**
 * The outcomes of items, in their order. A replay of a transaction that was made after the position
 * from before its item was first sent is the item's own doing, so it counts as made by it. Where
 * that cannot be read now, the outcome is unknown until the item is sent again.
 */
export async function claimOwnReplays(
  db: Db,
  items: readonly Item[],
  outcomes: Outcomes,
): Promise<Outcomes> {
  const asked = new Map<string, string[]>();
  outcomes.forEach((outcome, i) => {
    const position = items[i]?.sentSince;
    if (!outcome.ok || !outcome.value.isReplayed || position === undefined) return;
    const ids = asked.get(position) ?? [];
    ids.push(outcome.value.entry.id);
    asked.set(position, ids);
  });
  if (asked.size === 0) return outcomes;
  if (asked.size > maxPositions) return outcomes.map((outcome, i) => leaveOpen(outcome, items[i]));
  try {
    const own = await findOwn(db, asked);
    return outcomes.map((outcome, i) =>
      outcome.ok && own.get(items[i]?.sentSince ?? '')?.has(outcome.value.entry.id)
        ? succeed({ ...outcome.value, isReplayed: false })
        : outcome,
    );
  } catch (err) {
    if (classifyDbError(err) !== 'transient') throw err;
    return outcomes.map((outcome, i) => leaveOpen(outcome, items[i]));
  }
}

/** A run has one position. Each is a query, so a message with many would keep others waiting. */
const maxPositions = 16;

const leaveOpen = (outcome: Outcomes[number], item: Item | undefined): Outcomes[number] =>
  outcome.ok && outcome.value.isReplayed && item?.sentSince !== undefined ? unread : outcome;

const unread = refuse(
  'OUTCOME_UNKNOWN',
  'the transaction is there, but not since when, for the database was lost or a message had more ' +
    'than 16 positions in sent_since: send it again',
);

function findOwn(
  db: Db,
  asked: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  return db.read(async (tx) => {
    const own = new Map<string, ReadonlySet<string>>();
    for (const [position, ids] of asked) own.set(position, await findMadeSince(tx, ids, position));
    return own;
  });
}
