import type { Db } from '../../platform/db/db.ts';
import {
  checkCompleteness,
  type Completeness,
  type Extent,
  type Head,
  type Range,
} from '../domain.ts';
import type { RunningTotals, Totals } from './running-totals.ts';
import { readExtent } from '../store-extent.ts';
import type { Finding } from '../witness/lines.ts';
import type { Reporter } from '../witness/record.ts';
import {
  compareEnds,
  findImbalance,
  readEvidence,
  type Evidence,
  type LedgerPeers,
} from '../witness/verdict.ts';

export type { LedgerPeers, ReadHead } from '../witness/verdict.ts';

export type Wallet = { readonly id: string; readonly userId: string; readonly currency: string };

export type Generated = { readonly extent: Extent; readonly completeness: Completeness };

export type GenerateOptions = {
  readonly peers: LedgerPeers;
  readonly reporter: Reporter;
  readonly head: Head | undefined;
  readonly throughSeq: bigint | undefined;
  /** The seq up to which lines are needed; absent: the head's. */
  readonly neededSeq?: bigint;
  readonly runningTotals?: RunningTotals;
  /** For a caller that reads all lines of a complete range, and verifies their links itself. */
  readonly areLinksLeft?: boolean;
};

/** How long a statement waits for the projection to catch up with the ledger. */
const catchUpMs = 2_000;
const pollMs = 25;

/**
 * Reads a range until it is complete, for up to 2 s; then says what is missing. The ledger was
 * asked for `head` before: what it takes on later belongs to the next statement. `throughSeq`
 * pins the end for later pages. `runningTotals` avoids adding up known lines again.
 * Where lines contradict each other or the ledger, the statement is not complete but inconsistent.
 */
export async function generate(
  db: Db,
  wallet: Wallet,
  range: Range,
  options: GenerateOptions,
): Promise<Generated> {
  const { head, throughSeq, neededSeq, runningTotals } = options;
  const endsAt = performance.now() + catchUpMs;
  let isAddedUpAfresh = false;
  let hasLinks = options.areLinksLeft !== true;
  for (;;) {
    let known: Totals | undefined;
    const findSums = (openingSeq: bigint, closingSeq: bigint): Totals | undefined =>
      isAddedUpAfresh
        ? undefined
        : (known = runningTotals?.find(wallet.id, openingSeq, closingSeq));
    const { extent, evidence } = await db.snapshot(async (tx) => {
      const read = await readExtent(tx, wallet.id, range, throughSeq, {
        ...{ findSums, hasLinks },
      });
      return { extent: read, evidence: await readEvidence(tx, wallet.id, read) };
    });
    const completeness = checkCompleteness(extent, neededSeq ?? head?.seq);
    const found = evidence.found ?? (completeness.isComplete ? findImbalance(extent) : undefined);
    const isSound = completeness.isComplete && found === undefined;
    if (isSound) runningTotals?.keep(wallet.id, extent);
    else if (known) {
      // Lines were changed meanwhile, or are not there yet: all are added up again, whatever others
      // keep of this wallet meanwhile.
      runningTotals?.forget(wallet.id);
      isAddedUpAfresh = true;
      continue;
    }
    if (!completeness.isComplete && !hasLinks) {
      // The caller reads no incomplete range.
      hasLinks = true;
      continue;
    }
    if (found) return { extent, completeness: await toInconsistent(options, wallet, found) };
    if (completeness.isComplete || performance.now() > endsAt) {
      return { extent, completeness: await confirm(options, wallet, evidence, completeness) };
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** What is left of a judgement once the lines at the ends were compared with the ledger. */
async function confirm(
  options: GenerateOptions,
  wallet: Wallet,
  evidence: Evidence,
  completeness: Completeness,
): Promise<Completeness> {
  const comparison = await compareEnds(options.peers, wallet, evidence, options.head);
  if (comparison.kind === 'differs') return toInconsistent(options, wallet, comparison.found);
  if (comparison.kind === 'same' || !completeness.isComplete) return completeness;
  return { isComplete: false, behindBy: undefined };
}

const toInconsistent = async (
  { reporter }: Pick<GenerateOptions, 'reporter'>,
  wallet: Wallet,
  found: Finding,
): Promise<Completeness> => ({
  isComplete: false,
  behindBy: undefined,
  inconsistency: await reporter.report(wallet.id, found),
});
