import { leafOf } from '../../../core/checkpoint.ts';
import { toUuid } from '../../../core/bytes.ts';
import { pathOf } from '../../../core/merkle.ts';
import type { Db } from '../../platform/db/db.ts';
import * as store from './store.ts';
import { blockSize } from './take.ts';

/** A wallet in a checkpoint: its leaf, where it is in the tree, and the way to the root. */
export type Anchor = {
  readonly checkpoint: store.StoredCheckpoint & { readonly publicKey: string };
  readonly leaf: store.Leaf & { readonly index: bigint; readonly path: readonly Buffer[] };
};

/**
 * The first checkpoint that was taken at `timeMs` or later and has the wallet's entry `seq` (0: has
 * the wallet). Undefined if there is none yet. It reads one block of leaves.
 */
export async function findAnchor(
  db: Db,
  walletId: string,
  seq: bigint,
  timeMs: number,
): Promise<Anchor | undefined> {
  return db.snapshot(async (tx) => {
    const first = await store.findFirstWith(tx, walletId, seq);
    const found = first === undefined ? undefined : await store.findFrom(tx, timeMs, first);
    if (!found) return undefined;
    const { checkpoint, blocks } = found;
    const block = findBlock(blocks.starts, walletId);
    const fromId = idAt(blocks.starts, block);
    const leaves = await store.readLeaves(tx, checkpoint.number, { fromId }, blockSize);
    const place = leaves.findIndex((leaf) => leaf.walletId === walletId);
    const leaf = leaves[place];
    const publicKey = await store.findKey(tx, checkpoint.keyId);
    if (!leaf || publicKey === undefined) {
      throw new Error(`checkpoint ${checkpoint.number} has no leaf or no key of ${walletId}`);
    }
    // The next block's first wallets may have been read too, where this one is shorter: it is not.
    const hashes = leaves.map((each) => leafOf(each.walletId, each.seq, each.hash));
    const path = [...pathOf(hashes, place), ...pathOf(listRoots(blocks.roots), block)];
    const index = BigInt(block * blockSize + place);
    return { checkpoint: { ...checkpoint, publicKey }, leaf: { ...leaf, index, path } };
  });
}

const uuidBytes = 16;
const rootBytes = 32;

const idAt = (starts: Buffer, block: number): string =>
  toUuid((i) => starts[block * uuidBytes + i] ?? 0);

/** The last block that begins with this wallet or one before it. */
function findBlock(starts: Buffer, walletId: string): number {
  let low = 0;
  let high = starts.length / uuidBytes - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (idAt(starts, middle) <= walletId) low = middle;
    else high = middle - 1;
  }
  return low;
}

function listRoots(roots: Buffer): Buffer[] {
  const list: Buffer[] = [];
  for (let at = 0; at < roots.length; at += rootBytes)
    list.push(roots.subarray(at, at + rootBytes));
  return list;
}
