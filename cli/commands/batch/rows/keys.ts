import { hash } from 'node:crypto';

import { uuidV5 } from '../../../../core/ids.ts';
import type { CheckedRow } from './check.ts';

/** Namespace of the keys of batch rows: UUIDv5 of the DNS namespace and `batch.digital-wallet`. */
const batchNamespace = uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'batch.digital-wallet');

export type KeyMaker = {
  /** The row's own key, or one from the batch's id, its content, and how often it occurred. */
  keyOf(row: CheckedRow, userId: string): string;
};

/**
 * Keys of a batch. Equal rows are distinguished by a counter, so that a corrected file run again
 * under its batch id pays only what is new, whatever the order of the rest.
 */
export function createKeyMaker(batchId: string | undefined): KeyMaker {
  const occurrences = createCounter();
  const batch = JSON.stringify(batchId);
  return {
    keyOf: (row, userId) => {
      if (row.key !== undefined) return row.key;
      if (batchId === undefined) throw new Error('a row without a key needs a batch id');
      const content = `[${batch},${contentOf(row, userId)}]`;
      const digest = hash('sha256', content);
      const nth = occurrences.count(digest);
      return uuidV5(batchNamespace, `${digest}:${nth}`);
    },
  };
}

/** What a row does, as JSON: written by hand, since most of it cannot need escaping. */
function contentOf(row: CheckedRow, userId: string): string {
  const { operation, amountMinor, currency, parentId, description, merchant } = row;
  const amount = amountMinor === undefined ? 'null' : `"${amountMinor}"`;
  const texts = `${toJson(parentId)},${toJson(description)},${toJson(merchant)}`;
  return `"${operation}",${amount},"${currency}","${userId}",${texts}`;
}

const toJson = (text: string | undefined): string =>
  text === undefined ? 'null' : JSON.stringify(text);

/**
 * Counts 64 bits of each digest in an open hash table: 12 bytes for each different row of the
 * batch, at a load of at most three quarters. Two rows that share them by chance (one in 10^7 for
 * a batch of a million) only count together, which gives them different keys all the same.
 */
function createCounter() {
  let capacity = 1 << 12;
  let used = 0;
  /** Of each slot, the two halves of its digest. */
  let halves = new Uint32Array(2 * capacity);
  let counts = new Uint32Array(capacity);

  const slotOf = (low: number, high: number): number => {
    const mask = capacity - 1;
    let slot = low & mask;
    while (counts[slot] !== 0 && (halves[2 * slot] !== low || halves[2 * slot + 1] !== high)) {
      slot = (slot + 1) & mask;
    }
    return slot;
  };
  const put = (slot: number, low: number, high: number, count: number): void => {
    halves[2 * slot] = low;
    halves[2 * slot + 1] = high;
    counts[slot] = count;
  };
  const grow = (): void => {
    const [oldHalves, oldCounts] = [halves, counts];
    capacity *= 2;
    halves = new Uint32Array(2 * capacity);
    counts = new Uint32Array(capacity);
    oldCounts.forEach((count, i) => {
      if (count === 0) return;
      const [low, high] = [oldHalves[2 * i] ?? 0, oldHalves[2 * i + 1] ?? 0];
      put(slotOf(low, high), low, high, count);
    });
  };
  return {
    /** How often this digest, in hexadecimal digits, has come, this time included. */
    count: (digest: string): number => {
      const low = parseInt(digest.slice(0, 8), 16);
      const high = parseInt(digest.slice(8, 16), 16);
      const slot = slotOf(low, high);
      const count = (counts[slot] ?? 0) + 1;
      put(slot, low, high, count);
      if (count === 1) used += 1;
      if (used > (capacity / 4) * 3) grow();
      return count;
    },
  };
}
