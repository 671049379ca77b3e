import { hash } from 'node:crypto';

import { uuidV5 } from '../../../../core/ids.ts';
import type { CheckedRow } from './check.ts';
import { createDigestTable } from './digest-table.ts';

/** Namespace of the keys of batch rows: UUIDv5 of the DNS namespace and `batch.digital-wallet`. */
const batchNamespace = uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'batch.digital-wallet');

export type KeyMaker = {
  /** The row's own key, or one from the batch's id, its content, and how often it occurred. */
  keyOf(row: CheckedRow, userId: string, toUserId: string | undefined): string;
};

/**
 * Keys of a batch. Equal rows are distinguished by a counter, so that a corrected file run again
 * under its batch id pays only what is new, whatever the order of the rest.
 */
export function createKeyMaker(batchId: string | undefined): KeyMaker {
  const occurrences = createDigestTable();
  const batch = JSON.stringify(batchId);
  return {
    keyOf: (row, userId, toUserId) => {
      if (row.key !== undefined) return row.key;
      if (batchId === undefined) throw new Error('a row without a key needs a batch id');
      const digest = hash('sha256', `[${batch},${contentOf(row, userId, toUserId)}]`);
      const nth = occurrences.get(digest) + 1;
      occurrences.set(digest, nth);
      return uuidV5(batchNamespace, `${digest}:${nth}`);
    },
  };
}

/**
 * What a row moves, as JSON: written by hand, since most of it cannot need escaping. Its
 * description, reference and metadata, and when a hold ends, are no part of it: who edits one, or
 * saves the file in another program, pays nothing again (docs/decisions/0071). A row without the
 * newer columns has the key that it always had: what they say is one more element, where they say
 * something.
 */
export function contentOf(row: CheckedRow, userId: string, toUserId: string | undefined): string {
  const { operation, amountMinor, currency, parentId, merchant, via, keepsRest } = row;
  const amount = amountMinor === undefined ? 'null' : `"${amountMinor}"`;
  const hasMore = toUserId !== undefined || via !== undefined || keepsRest;
  const said = { to: toUserId, via, keepRest: keepsRest ? true : undefined };
  const more = hasMore ? `,${JSON.stringify(said)}` : '';
  return (
    `"${operation}",${amount},"${currency}","${userId}",${toJson(parentId)},${toJson(merchant)}` +
    more
  );
}

const toJson = (text: string | undefined): string =>
  text === undefined ? 'null' : JSON.stringify(text);

/** Finds a key that an earlier row has. */
export type OwnKeys = {
  /** The earlier row with the key, or undefined: then this row has it from now on. */
  claim(key: string, row: number): number | undefined;
};

export function createOwnKeys(): OwnKeys {
  const rows = createDigestTable();
  return {
    claim: (key, row) => {
      const digest = hash('sha256', key);
      const earlier = rows.get(digest);
      if (earlier > 0) return earlier;
      rows.set(digest, row);
      return undefined;
    },
  };
}

/** Like 4.711E+15: what a spreadsheet makes of a long number, with most of its digits lost. */
export const isShortenedNumber = (key: string): boolean => /^\d+([.,]\d+)?E\+\d+$/i.test(key);
