import { hash } from 'node:crypto';

import { createScratch } from '../bytes.ts';
import { chainVersion, linkBytes } from '../chain.ts';
import { operationOfCode, operations, operationTable } from '../operations.ts';
import * as fields from './chained-fields.ts';
import { failRow, hashBytes, type Cursor } from './chained-fields.ts';
import type { FileRow, StatementFileLine } from './types.ts';

/** The columns of a row, in the order in which the hash covers them. */
export const chainedColumns = [
  ...['previous_hash', 'transaction_id', 'seq', 'operation', 'amount', 'balance_after'],
  ...['contra_account', 'parent_id', 'source', 'actor', 'description', 'metadata'],
  ...['occurred_at', 'held', 'held_after', 'parent_used', 'group_id', 'hash', 'currency'],
] as const;

const idLength = 36;
const scratchBytes = 32 * 1024;
/** What the hash covers of a row without texts takes less. */
const fixedRoom = 512;
/** Canonical metadata is less than twice as long as what was stored; other cannot match anyway. */
const maxGrowth = 2;

const operationNames: (Buffer | undefined)[] = [];
for (const operation of operations) {
  operationNames[operationTable[operation].code] = Buffer.from(operation);
}

/**
 * Reads rows of `chainedColumns` in the binary format of COPY (the number of fields, and each
 * behind its length) into `row`, with the bytes that `contentDigest` hashes of the same line.
 * `read` throws where it is no such row. What it gave is overwritten by the next.
 */
export function createRowReader() {
  const scratch = createScratch(scratchBytes);
  const row = createRow();
  const cursor: Cursor = {
    ...{ bytes: row.source, from: 0, end: 0 },
    ...{ into: row.bytes, at: 0, valueAt: 0, valueEnd: 0 },
  };
  const read = (bytes: Buffer, start: number, end: number): void => {
    if (start + 2 > end || fields.readInt16(bytes, start) !== chainedColumns.length) failRow();
    cursor.bytes = bytes;
    cursor.from = start + 2;
    cursor.end = end;
    cursor.into = scratch.take(fixedRoom + maxGrowth * (end - start));
    readChained(cursor, row);
    row.hashAt = fields.skipHash(cursor);
    const currencyLength = fields.readLength(cursor);
    row.currencyAt = cursor.from;
    row.currencyEnd = cursor.from + currencyLength;
    if (row.currencyEnd !== end) failRow();
    row.source = bytes;
    row.bytes = scratch.upTo(cursor.into, cursor.at);
  };
  return { row, read };
}

/** Writes what the digest covers, and takes down where the parts lie. */
function readChained(cursor: Cursor, row: FileRow): void {
  cursor.into[0] = chainVersion;
  cursor.at = 1;
  row.previousHashAt = fields.skipHash(cursor);
  fields.writeUuid(cursor);
  row.idAt = cursor.valueAt;
  row.seq = fields.writeLong(cursor);
  row.operation = fields.writeName(cursor, operationNames);
  row.amount = fields.writeLong(cursor);
  row.amountAt = cursor.valueAt;
  row.amountEnd = cursor.valueEnd;
  row.balance = fields.writeLong(cursor);
  row.balanceAt = cursor.valueAt;
  row.balanceEnd = cursor.valueEnd;
  fields.writeText(cursor);
  row.contraAt = cursor.valueAt;
  row.contraEnd = cursor.valueEnd;
  fields.writeUuid(cursor);
  fields.writeTextOrEmpty(cursor);
  fields.writeTextOrEmpty(cursor);
  row.hasNote = fields.writeText(cursor);
  row.noteAt = cursor.valueAt;
  row.noteEnd = cursor.valueEnd;
  fields.writeMetadata(cursor);
  row.occurredAtMs = fields.writeTime(cursor);
  fields.writeMore(cursor, row);
}

function createRow(): FileRow {
  const nothing = Buffer.alloc(0);
  return {
    ...{ bytes: nothing, idAt: 0, operation: 0, seq: 0, amount: 0, balance: 0, occurredAtMs: 0 },
    ...{ amountAt: 0, amountEnd: 0, balanceAt: 0, balanceEnd: 0, contraAt: 0, contraEnd: 0 },
    ...{ hasNote: false, noteAt: 0, noteEnd: 0, source: nothing, previousHashAt: 0, hashAt: 0 },
    ...{ currencyAt: 0, currencyEnd: 0 },
    ...{ heldAt: -1, heldEnd: 0, heldAfterAt: -1, heldAfterEnd: 0 },
  };
}

/** The hash that a row should have, a character for each byte; none without a hash before it. */
export const hashOf = (row: FileRow): string =>
  row.previousHashAt < 0
    ? ''
    : linkBytes(row.source, row.previousHashAt, hash('sha256', row.bytes, 'binary'));

/** Whether the 32 bytes at `at` are these; false for -1. */
export function hasDigest(bytes: Buffer, at: number, digest: string): boolean {
  if (at < 0) return false;
  for (let i = 0; i < hashBytes; i += 1) {
    if (bytes[at + i] !== digest.charCodeAt(i)) return false;
  }
  return true;
}

/** Whether a row is in this currency. */
export function hasCurrency({ source, currencyAt, currencyEnd }: FileRow, code: string): boolean {
  if (currencyEnd - currencyAt !== code.length) return false;
  for (let i = 0; i < code.length; i += 1) {
    if (source[currencyAt + i] !== code.charCodeAt(i)) return false;
  }
  return true;
}

/** A whole number of a row, however long. */
export const readMinor = ({ bytes }: FileRow, start: number, end: number): bigint =>
  BigInt(bytes.toString('latin1', start, end));

/** The same line as every format can write it. */
export function toFileLine(row: FileRow, seq: bigint): StatementFileLine {
  const { bytes, idAt, heldAt, heldAfterAt } = row;
  return {
    seq,
    occurredAtMs: row.occurredAtMs,
    transactionId: bytes.toString('latin1', idAt, idAt + idLength),
    operation: operationOfCode(row.operation),
    description: row.hasNote ? bytes.toString('utf8', row.noteAt, row.noteEnd) : undefined,
    amountMinor: readMinor(row, row.amountAt, row.amountEnd),
    balanceAfterMinor: readMinor(row, row.balanceAt, row.balanceEnd),
    contraAccount: bytes.toString('utf8', row.contraAt, row.contraEnd),
    heldMinor: heldAt < 0 ? undefined : readMinor(row, heldAt, row.heldEnd),
    heldAfterMinor: heldAfterAt < 0 ? undefined : readMinor(row, heldAfterAt, row.heldAfterEnd),
  };
}
