import { randomUUID, type KeyObject } from 'node:crypto';

import { formatCheckpoint, keyIdOf, leafOf, signCheckpoint } from '../../../core/checkpoint.ts';
import { writeUuid } from '../../../core/bytes.ts';
import { createMerkleTree, rootOf } from '../../../core/merkle.ts';
import { constraintOf, readClock, sqlStateOf, type Db, type Tx } from '../../platform/db/db.ts';
import { appendOutbox } from '../../platform/outbox/relay.ts';
import { toCheckpointMessage } from './message.ts';
import * as store from './store.ts';
import { readCompleteTime } from './time-store.ts';

/** Leaves in a block: a path in the tree is made from one block's leaves and the blocks' roots. */
export const blockSize = 4_096;

/** What signs checkpoints: a private key, and the public one as PEM. */
export type Signer = { readonly key: KeyObject; readonly publicKey: KeyObject };

type TakeOptions = {
  readonly everyMs?: number;
  /** Once it is aborted, the checkpoint is given up, and nothing of it stays. */
  readonly signal?: AbortSignal | undefined;
  /** Some of the wallets were read. */
  readonly onBlock?: (() => void) | undefined;
};

/**
 * Takes a checkpoint: reads all wallets of one snapshot in blocks, while commits go on, signs the
 * root, and stores the leaves that changed, with its event, in the same transaction. Undefined if
 * the last one is not `everyMs` old yet, if another process took this checkpoint meanwhile, or if it
 * was given up.
 */
export async function takeCheckpoint(
  db: Db,
  signer: Signer,
  { everyMs = 0, signal, onBlock }: TakeOptions = {},
): Promise<store.StoredCheckpoint | undefined> {
  try {
    const takenAtMs = await db.read(readCompleteTime);
    return await db.snapshotTx(async (tx) => {
      if (!(await store.lockTaking(tx))) return undefined;
      const last = await store.findLast(tx);
      return isDue(last, await readClock(tx), everyMs)
        ? take(tx, signer, { last, takenAtMs, signal, onBlock })
        : undefined;
    });
  } catch (err) {
    if (signal?.aborted || isTaken(err)) return undefined;
    throw err;
  }
}

/** Two of the same number: the second finds the first one's row, leaves or key. */
const isTaken = (err: unknown): boolean =>
  ['checkpoints_pkey', 'checkpoint_leaves_pkey'].includes(constraintOf(err) ?? '') ||
  sqlStateOf(err) === serializationFailure;
const serializationFailure = '40001';

/** By the database's clock. One from the future was taken while the clock was ahead: it is over. */
export function isDue(
  last: store.StoredCheckpoint | undefined,
  clockMs: number,
  everyMs: number,
): boolean {
  const ageMs = last ? clockMs - last.takenAtMs : everyMs;
  return ageMs >= everyMs || ageMs < 0;
}

type Taking = Pick<TakeOptions, 'signal' | 'onBlock'> & {
  readonly last: store.StoredCheckpoint | undefined;
  readonly takenAtMs: number;
};

async function take(
  tx: Tx,
  signer: Signer,
  { last, takenAtMs, signal, onBlock }: Taking,
): Promise<store.StoredCheckpoint> {
  const number = (last?.number ?? 0n) + 1n;
  const tree = await readTree(tx, number, () => {
    onBlock?.();
    signal?.throwIfAborted();
  });
  const keyId = keyIdOf(signer.publicKey);
  const origin = last?.origin ?? randomUUID();
  const text = formatCheckpoint({
    ...{ origin, number, timeMs: takenAtMs, size: tree.size, root: tree.root.toString('hex') },
    ...{ transactions: tree.transactions, previousRoot: last?.root.toString('hex'), keyId },
  });
  const signature = signCheckpoint(text, signer.key);
  const { size, root } = tree;
  const checkpoint = { number, origin, takenAtMs, size, root, text, signature, keyId };
  await store.keepKey(
    tx,
    keyId,
    signer.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  );
  await store.insertCheckpoint(tx, checkpoint, tree.blocks);
  await appendOutbox(tx, [toCheckpointMessage(checkpoint, tree.transactions)]);
  return checkpoint;
}

async function readTree(tx: Tx, number: bigint, onBlock: () => void) {
  const tree = createMerkleTree();
  const starts: Buffer[] = [];
  const roots: Buffer[] = [];
  let size = 0n;
  let transactions = 0n;
  for (let afterId = store.beforeAll; ;) {
    const leaves = await store.readWalletLeaves(tx, afterId, blockSize);
    onBlock();
    const [first] = leaves;
    const last = leaves.at(-1);
    if (!first || !last) break;
    const hashes: Buffer[] = [];
    for (const { walletId, seq, hash } of leaves) {
      hashes.push(leafOf(walletId, seq, hash));
      transactions += seq;
      if (hashes.length % leavesPerTurn === 0) await nextTurn();
    }
    await store.insertLeaves(
      tx,
      number,
      leaves.filter(({ isNew }) => isNew),
    );
    const root = rootOf(hashes);
    tree.add(root);
    roots.push(root);
    starts.push(uuidBytes(first.walletId));
    size += BigInt(leaves.length);
    afterId = last.walletId;
    if (leaves.length < blockSize) break;
  }
  const blocks = { starts: Buffer.concat(starts), roots: Buffer.concat(roots) };
  return { root: tree.root(), size, transactions, blocks };
}

/** Hashed before others get a turn of the event loop: about a millisecond. */
const leavesPerTurn = 512;
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function uuidBytes(id: string): Buffer {
  const bytes = Buffer.alloc(16);
  writeUuid(bytes, id);
  return bytes;
}
