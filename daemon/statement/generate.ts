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
 * pins the end for later pages.
 */
export async function generate(
  db: Db,
  wallet: Wallet,
  range: Range,
  {
    head,
    throughSeq,
  }: { readonly head: Head | undefined; readonly throughSeq: bigint | undefined },
): Promise<Generated> {
  const endsAt = performance.now() + catchUpMs;
  for (;;) {
    const extent = await db.snapshot((tx) => store.readExtent(tx, wallet.id, range, throughSeq));
    const completeness = judge(extent, head?.seq);
    if (completeness.isComplete && !isBalanced(extent)) {
      throw new Error(`the statement of wallet ${wallet.id} does not add up`);
    }
    if (completeness.isComplete || performance.now() > endsAt) return { extent, completeness };
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
