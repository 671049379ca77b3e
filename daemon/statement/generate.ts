import type { Result } from '../../core/reasons.ts';
import type { Db } from '../platform/db.ts';
import {
  isBalanced,
  judge,
  type Completeness,
  type Extent,
  type Head,
  type Range,
} from './domain.ts';
import type { KnownSums, Sums } from './known-sums.ts';
import * as store from './store.ts';

/** Asks the ledger for a wallet's head. Rejects if the wallet service is out of reach. */
export type ReadHead = (userId: string, currency: string) => Promise<Result<Head>>;

export type Wallet = { readonly id: string; readonly userId: string; readonly currency: string };

export type Generated = { readonly extent: Extent; readonly completeness: Completeness };

/** How long a statement waits for the projection to catch up with the ledger. */
const catchUpMs = 2_000;
const pollMs = 25;

/**
 * Reads a range until it is complete, for up to 2 s; then says what is missing. The ledger was
 * asked for `head` before: what it takes on later belongs to the next statement. `throughSeq`
 * pins the end for later pages. `knownSums` spares the adding up of what was added up lately.
 */
export async function generate(
  db: Db,
  wallet: Wallet,
  range: Range,
  {
    head,
    throughSeq,
    knownSums,
  }: {
    readonly head: Head | undefined;
    readonly throughSeq: bigint | undefined;
    readonly knownSums?: KnownSums;
  },
): Promise<Generated> {
  const endsAt = performance.now() + catchUpMs;
  let isAddedUpAfresh = false;
  for (;;) {
    let known: Sums | undefined;
    const findSums = (openingSeq: bigint, closingSeq: bigint): Sums | undefined =>
      isAddedUpAfresh ? undefined : (known = knownSums?.find(wallet.id, openingSeq, closingSeq));
    const extent = await db.snapshot((tx) =>
      store.readExtent(tx, wallet.id, range, throughSeq, findSums),
    );
    const completeness = judge(extent, head?.seq);
    const isSound = completeness.isComplete && isBalanced(extent);
    if (isSound) knownSums?.keep(wallet.id, extent);
    else if (known) {
      // Lines were changed meanwhile, or are not there yet: all are added up again, whatever others
      // keep of this wallet meanwhile.
      knownSums?.forget(wallet.id);
      isAddedUpAfresh = true;
      continue;
    }
    if (completeness.isComplete && !isSound) {
      throw new Error(`the statement of wallet ${wallet.id} does not add up`);
    }
    if (completeness.isComplete || performance.now() > endsAt) return { extent, completeness };
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
