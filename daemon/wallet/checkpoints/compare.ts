import { genesisHash } from '../../../core/chain.ts';
import type { Db } from '../../platform/db/db.ts';
import { readEntriesAt, type EntryAt, type Leaf } from './store.ts';

/** How a wallet differs from a checkpoint. */
export type CheckpointFinding = {
  readonly wallet: string;
  readonly seq: bigint;
  readonly kind: 'missing_wallet' | 'cut_tail' | 'rewritten';
  readonly detail: string;
};

/**
 * Compares the ledger with the leaves of a checkpoint, in pages. Each wallet must have the entry
 * that was its last one then, with the same hash: it covers all entries before it, if the chain is
 * whole. So nothing up to the checkpoint was changed, removed or put in.
 */
export async function* compareCheckpoint(
  db: Db,
  leaves: AsyncIterable<readonly Leaf[]>,
): AsyncGenerator<{ readonly wallets: number; readonly findings: readonly CheckpointFinding[] }> {
  for await (const page of leaves) {
    const rows = await db.read((tx) => readEntriesAt(tx, page));
    const findings = page.flatMap((leaf): CheckpointFinding[] => {
      const found = compareLeaf(leaf, rows.get(leaf.walletId));
      return found ? [{ wallet: leaf.walletId, seq: leaf.seq, ...found }] : [];
    });
    yield { wallets: page.length, findings };
  }
}

function compareLeaf(
  { walletId, seq, hash }: Leaf,
  row: EntryAt | undefined,
): Pick<CheckpointFinding, 'kind' | 'detail'> | undefined {
  if (!row || row.userId === null || row.currency === null) {
    return { kind: 'missing_wallet', detail: `the wallet had ${seq} transactions, and is gone` };
  }
  if (seq > 0n && !row.hash) {
    const detail = `the wallet had ${seq} transactions, and has ${row.lastSeq ?? 0n} now`;
    return { kind: 'cut_tail', detail };
  }
  const found =
    seq === 0n ? genesisHash(walletId, row.userId, row.currency) : row.hash?.toString('hex');
  if (found === hash) return undefined;
  return { kind: 'rewritten', detail: `the transaction had the hash ${hash}, and has ${found}` };
}
