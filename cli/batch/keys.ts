import { createHash } from 'node:crypto';

import { uuidV5 } from '../../core/ids.ts';
import type { CheckedRow } from './check.ts';

/** Namespace of the keys of batch rows: UUIDv5 of the DNS namespace and `batch.digital-wallet`. */
const batchNamespace = uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'batch.digital-wallet');

export type KeyMaker = {
  /** The row's own key, or one from the batch's id, its content, and how often it occurred. */
  keyOf(row: CheckedRow, userId: string): string;
};

/**
 * Keys of a batch. Equal rows are told apart by counting them, so that a corrected file run again
 * under its batch id pays only what is new, whatever the order of the rest.
 */
export function createKeyMaker(batchId: string | undefined): KeyMaker {
  const occurrences = createCounter();
  return {
    keyOf: (row, userId) => {
      if (row.key !== undefined) return row.key;
      if (batchId === undefined) throw new Error('a row without a key needs a batch id');
      const { operation, amountMinor, currency, parentId, description, merchant } = row;
      const content = JSON.stringify([
        batchId,
        operation,
        amountMinor?.toString() ?? null,
        currency,
        userId,
        parentId ?? null,
        description ?? null,
        merchant ?? null,
      ]);
      const digest = createHash('sha256').update(content).digest();
      const nth = occurrences.count(digest.readBigUInt64LE(0));
      return uuidV5(batchNamespace, `${digest.toString('hex')}:${nth}`);
    },
  };
}

/**
 * Counts 64-bit digests in an open hash table: 12 bytes for each different row of the batch, at a
 * load of at most three quarters. Two rows that share a digest by chance (one in 10^7 for a batch
 * of a million) only count together, which gives them different keys all the same.
 */
function createCounter() {
  let capacity = 1 << 12;
  let used = 0;
  let digests = new BigUint64Array(capacity);
  let counts = new Uint32Array(capacity);

  const slotOf = (digest: bigint): number => {
    let slot = Number(digest & BigInt(capacity - 1));
    while (counts[slot] !== 0 && digests[slot] !== digest) slot = (slot + 1) & (capacity - 1);
    return slot;
  };
  const grow = (): void => {
    const [oldDigests, oldCounts] = [digests, counts];
    capacity *= 2;
    digests = new BigUint64Array(capacity);
    counts = new Uint32Array(capacity);
    oldCounts.forEach((count, i) => {
      const digest = oldDigests[i];
      if (count === 0 || digest === undefined) return;
      const slot = slotOf(digest);
      digests[slot] = digest;
      counts[slot] = count;
    });
  };
  return {
    /** How often this digest has come, this time included. */
    count: (digest: bigint): number => {
      const slot = slotOf(digest);
      const count = (counts[slot] ?? 0) + 1;
      digests[slot] = digest;
      counts[slot] = count;
      if (count === 1) used += 1;
      if (used > (capacity / 4) * 3) grow();
      return count;
    },
  };
}
