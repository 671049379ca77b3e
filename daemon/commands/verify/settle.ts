import type { LedgerFinding } from '../../../core/ledger-check/index.ts';
import { sleepUnlessAborted } from '../../platform/concurrency/abort.ts';
import type { Db } from '../../platform/db/db.ts';
import { findDeadLettered, findWithoutLine } from '../../statement/index.ts';
import { findUnsent, keyOfPlace } from '../../wallet/index.ts';

type Place = { readonly walletId: string; readonly seq: bigint };

/** Entries without a line, and what became of them. */
export type Settled = {
  readonly findings: readonly LedgerFinding[];
  /** Their events are in the outbox. */
  readonly unsent: number;
  /** Their events are dead letters. */
  readonly deadLettered: number;
};

/** So long no line comes before those that are missing are said to be. */
const graceMs = 20_000;
const lookEveryMs = 500;

/**
 * Looks again for lines that were missing: they may have been on their way. An event is in the
 * outbox, in the broker's queue, among the dead letters, or a line. Only the queue cannot be seen:
 * it is waited for as long as lines come, and for 20 s more.
 */
export async function settleMissing(
  dbs: { readonly wallet: Db; readonly statement: Db },
  missing: readonly Place[],
  signal: AbortSignal,
): Promise<Settled> {
  let left = missing;
  let until = performance.now() + graceMs;
  for (;;) {
    const absent = await findWithoutLine(dbs.statement, left);
    if (absent.length < left.length) until = performance.now() + graceMs;
    left = absent;
    const unsent = left.length === 0 ? new Set() : await findUnsent(dbs.wallet, left);
    const lost = left.filter((place) => !unsent.has(keyOfPlace(place)));
    if (lost.length === 0) return { findings: [], unsent: unsent.size, deadLettered: 0 };
    const letters = await findLetters(dbs.statement, lost);
    const unexplained = lost.filter((place) => !letters.has(keyOfPlace(place)));
    if (unexplained.length === 0 || performance.now() > until) {
      const findings = unexplained.map(toFinding);
      return { findings, unsent: unsent.size, deadLettered: letters.size };
    }
    await sleepUnlessAborted(lookEveryMs, signal);
    signal.throwIfAborted();
  }
}

const toFinding = ({ walletId, seq }: Place): LedgerFinding => ({
  ...{ walletId, seq, kind: 'line_missing' },
  detail: 'the entry has no line, and its event is neither in the outbox nor a dead letter',
});

async function findLetters(db: Db, places: readonly Place[]): Promise<ReadonlySet<string>> {
  const wanted = new Set(places.map(keyOfPlace));
  const found = await findDeadLettered(db, (place) => wanted.has(keyOfPlace(place)));
  return new Set(found.places.map(keyOfPlace));
}
