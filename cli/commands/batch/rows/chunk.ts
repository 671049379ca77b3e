import type { TransactionItem } from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { InvalidRow, RowText } from './check.ts';

/** A row with the item that is sent for it. */
export type ItemRow = {
  readonly row: number;
  readonly userId: string;
  readonly item: TransactionItem;
  readonly text: RowText;
  /** Sent before without an answer: what is found there may be our own doing. */
  wasSent: boolean;
};

/** A row that can be sent, or the reason why it is not. */
export type PreparedRow = ItemRow | InvalidRow;

/** Rows that travel together, in one message. */
export type Chunk = {
  readonly rows: readonly PreparedRow[];
  /** Of the input up to the last row. */
  readonly digest: string;
  /** The rows were deferred by an earlier run: later ones have their results already. */
  readonly isLate: boolean;
};

export const isItemRow = (row: PreparedRow): row is ItemRow => 'item' in row;

/** The most that a message of the server's has room for is 1,024. */
export const maxRows = 1_000;
/** Well below what one message may carry (256 KiB). */
export const maxBytes = 200 * 1024;
/** The most that everything but texts takes in a message: ids, a key that is made, numbers. */
const itemBytes = 150;

/** The most that a row takes in a message: three bytes for each UTF-16 unit of its texts. */
export const sizeOf = (...texts: readonly (string | undefined)[]): number =>
  texts.reduce((sum, text = '') => sum + 3 * text.length, itemBytes);

/** The most that pairs take in a message. */
export function sizeOfPairs(metadata: Readonly<Record<string, string | undefined>>): number {
  let bytes = 0;
  for (const key in metadata) bytes += pairBytes + 3 * (key.length + (metadata[key] ?? '').length);
  return bytes;
}

const pairBytes = 12;

function sizeOfRow(row: PreparedRow): number {
  if (!isItemRow(row)) return itemBytes;
  const { description, merchant, idempotencyKey, via, reference, metadata } = row.item;
  return sizeOf(description, merchant, idempotencyKey, via, reference) + sizeOfPairs(metadata);
}

/** How many of these rows, from the first on, fit into one message. */
export function countFitting(rows: readonly PreparedRow[]): number {
  let count = 0;
  for (let bytes = 0; count < rows.length && count < maxRows && bytes < maxBytes; count += 1) {
    bytes += sizeOfRow(rows[count] as PreparedRow);
  }
  return count;
}
