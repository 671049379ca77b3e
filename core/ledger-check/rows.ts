import { createScratch, equalBytes, toUuid } from '../bytes.ts';
import { canonicalMetadata, chainVersion, parseMetadata } from '../chain.ts';
import { operations, operationTable } from '../operations.ts';
import * as fields from '../statement-format/chained-fields.ts';
import { failRow, hashBytes, readInt32, readInt64 } from '../statement-format/chained-fields.ts';

/** What entries and lines have in common, in one order: equal rows have equal bytes. */
const sharedNames = [
  ...['transaction_id', 'operation', 'amount', 'balance_after', 'contra_account', 'parent_id'],
  ...['source', 'actor', 'description', 'metadata', 'occurred_at', 'hash'],
] as const;

/** The order of columns in which rows are read. `source` of an entry is given by its name. */
export const entryColumns = ['wallet_id', 'seq', ...sharedNames] as const;
export const lineColumns = [
  ...['wallet_id', 'seq', 'previous_hash', 'user_id', 'currency'],
  ...sharedNames,
] as const;
export const walletColumns = [
  ...['id', 'user_id', 'currency', 'exponent', 'balance', 'seq', 'last_at', 'last_hash'],
] as const;

const uuidBytes = 16;
/** Of every row: behind the number of fields and a length. */
export const idOffset = 6;
/** Of an entry and a line. */
const seqOffset = idOffset + uuidBytes + 4;
const restOffset = seqOffset + 8;
const scratchBytes = 32 * 1024;
/** What the digest covers of a row without texts takes less. */
const fixedRoom = 512;
/** Canonical metadata is less than twice as long as what was stored; other cannot match anyway. */
const maxGrowth = 2;

const operationNames: (Buffer | undefined)[] = [];
for (const operation of operations) {
  operationNames[operationTable[operation].code] = Buffer.from(operation);
}

export const readSeq = (bytes: Buffer, start: number): number =>
  readInt64(bytes, start + seqOffset);

export const readUuid = (bytes: Buffer, at: number): string => toUuid((i) => bytes[at + i] ?? 0);

/** Below 0: the 16 bytes at `aAt` come before those at `bAt`, in the order of Postgres. */
export function compareIds(a: Buffer, aAt: number, b: Buffer, bAt: number): number {
  for (let i = 0; i < uuidBytes; i += 1) {
    const difference = (a[aAt + i] ?? 0) - (b[bAt + i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export type EntryRow = {
  bytes: Buffer;
  /** Where the part begins that a line has, too; it ends with the row. */
  sharedAt: number;
  end: number;
  seq: number;
  operation: number;
  /** In minor units; NaN where that is not exact in a number: `readAmount`, `readBalance`. */
  amount: number;
  balance: number;
  amountAt: number;
  balanceAt: number;
  /** 16 bytes; -1 without one. */
  parentAt: number;
  /** Since 2000, as Postgres counts. */
  micros: number;
  /** -1 if it has not 32 bytes. */
  hashAt: number;
  /** What the digest of its content covers. */
  content: Buffer;
};

/**
 * Reads rows of `entryColumns` into `row`, which the next one overwrites. `read` throws where it is
 * no such row.
 */
export function createEntryReader() {
  const scratch = createScratch(scratchBytes);
  const nothing = Buffer.alloc(0);
  const row: EntryRow = {
    ...{ bytes: nothing, sharedAt: 0, end: 0, seq: 0, operation: 0, micros: 0, content: nothing },
    ...{ amount: 0, balance: 0, amountAt: 0, balanceAt: 0, parentAt: -1, hashAt: -1 },
  };
  const cursor: fields.Cursor = {
    ...{ bytes: nothing, from: 0, end: 0, into: nothing, at: 0, valueAt: 0, valueEnd: 0 },
  };
  const read = (bytes: Buffer, start: number, end: number): void => {
    if (fields.readInt16(bytes, start) !== entryColumns.length) failRow();
    cursor.bytes = bytes;
    cursor.from = start + restOffset;
    cursor.end = end;
    cursor.into = scratch.take(fixedRoom + maxGrowth * (end - start));
    cursor.into[0] = chainVersion;
    cursor.at = 1;
    row.bytes = bytes;
    row.sharedAt = cursor.from;
    row.end = end;
    fields.writeUuid(cursor);
    readNumbers(cursor, row, start);
    readRest(cursor, row);
    if (cursor.from !== end) failRow();
    row.content = scratch.upTo(cursor.into, cursor.at);
  };
  return { row, read };
}

/** From the sequence number, which is hashed behind the id, to the balance. */
function readNumbers(cursor: fields.Cursor, row: EntryRow, start: number): void {
  const { from } = cursor;
  cursor.from = start + seqOffset - 4;
  fields.writeLong(cursor);
  row.seq = readSeq(cursor.bytes, start);
  cursor.from = from;
  row.operation = fields.writeName(cursor, operationNames);
  row.amount = fields.writeLong(cursor);
  row.amountAt = cursor.from - 8;
  row.balance = fields.writeLong(cursor);
  row.balanceAt = cursor.from - 8;
}

/** In minor units, whatever its size. */
export const readAmount = ({ bytes, amountAt }: EntryRow): bigint => bytes.readBigInt64BE(amountAt);
export const readBalance = ({ bytes, balanceAt }: EntryRow): bigint =>
  bytes.readBigInt64BE(balanceAt);

function readRest(cursor: fields.Cursor, row: EntryRow): void {
  fields.writeText(cursor);
  const parentAt = cursor.from + 4;
  fields.writeUuid(cursor);
  row.parentAt = cursor.from > parentAt ? parentAt : -1;
  fields.writeTextOrEmpty(cursor);
  fields.writeTextOrEmpty(cursor);
  fields.writeText(cursor);
  fields.writeMetadata(cursor);
  fields.writeTime(cursor);
  row.micros = readInt64(cursor.bytes, cursor.from - 8);
  row.hashAt = fields.skipHash(cursor);
}

export type LineRow = {
  bytes: Buffer;
  end: number;
  /** -1 if it has not 32 bytes. */
  previousHashAt: number;
  userAt: number;
  currencyAt: number;
  currencyEnd: number;
  /** Where the part begins that an entry has, too. */
  sharedAt: number;
};

/** Reads a row of `lineColumns` into `row`. */
export function readLine(row: LineRow, bytes: Buffer, start: number, end: number): void {
  if (fields.readInt16(bytes, start) !== lineColumns.length) failRow();
  let at = start + restOffset;
  const hashLength = readInt32(bytes, at);
  row.previousHashAt = hashLength === hashBytes ? at + 4 : -1;
  at += 4 + Math.max(0, hashLength);
  row.userAt = at + 4;
  at += 4 + uuidBytes;
  row.currencyAt = at + 4;
  row.currencyEnd = row.currencyAt + readInt32(bytes, at);
  row.bytes = bytes;
  row.sharedAt = row.currencyEnd;
  row.end = end;
}

export const none: readonly string[] = [];

/** The names of the shared columns in which an entry and a line differ. */
export function listDifferences(entry: EntryRow, line: LineRow): readonly string[] {
  const { bytes: a, sharedAt: aStart, end: aEnd } = entry;
  const { bytes: b, sharedAt: bStart, end: bEnd } = line;
  if (a.compare(b, bStart, bEnd, aStart, aEnd) === 0) return none;
  let aAt = aStart;
  let bAt = bStart;
  const names: string[] = [];
  for (const name of sharedNames) {
    const aNext = aAt + 4 + Math.max(0, readInt32(a, aAt));
    const bNext = bAt + 4 + Math.max(0, readInt32(b, bAt));
    const isSame =
      a.compare(b, bAt, bNext, aAt, aNext) === 0 ||
      (name === 'metadata' && textOf(a, aAt, aNext) === textOf(b, bAt, bNext));
    if (!isSame) names.push(name);
    aAt = aNext;
    bAt = bNext;
  }
  return names;
}

/** Of metadata: the same text for the same content. */
function textOf(bytes: Buffer, at: number, next: number): string | undefined {
  if (next === at + 4) return undefined;
  return canonicalMetadata(parseMetadata(bytes.toString('utf8', at + 4, next)));
}

export type WalletRow = {
  /** Its owner's id, and behind it its currency. */
  readonly ownerBytes: Buffer;
  readonly id: string;
  readonly userId: string;
  readonly currency: string;
  readonly exponent: number;
  readonly balanceMinor: bigint;
  readonly seq: number;
  readonly lastMicros: number;
  /** A character for each byte. */
  readonly lastHash: string;
};

/** A row of `walletColumns`. */
export function readWallet(bytes: Buffer, start: number): WalletRow {
  if (fields.readInt16(bytes, start) !== walletColumns.length) failRow();
  const userAt = start + idOffset + uuidBytes + 4;
  const currencyAt = userAt + uuidBytes + 4;
  const currencyEnd = currencyAt + readInt32(bytes, currencyAt - 4);
  const exponentAt = currencyEnd + 4;
  const balanceAt = exponentAt + 2 + 4;
  const seqAt = balanceAt + 8 + 4;
  const timeAt = seqAt + 8 + 4;
  const hashAt = timeAt + 8 + 4;
  return {
    ownerBytes: Buffer.concat([
      bytes.subarray(userAt, userAt + uuidBytes),
      bytes.subarray(currencyAt, currencyEnd),
    ]),
    id: readUuid(bytes, start + idOffset),
    userId: readUuid(bytes, userAt),
    currency: bytes.toString('utf8', currencyAt, currencyEnd),
    exponent: fields.readInt16(bytes, exponentAt),
    balanceMinor: bytes.readBigInt64BE(balanceAt),
    seq: readInt64(bytes, seqAt),
    lastMicros: readInt64(bytes, timeAt),
    lastHash: bytes.toString('latin1', hashAt, hashAt + readInt32(bytes, hashAt - 4)),
  };
}

/** Whether a line has the owner and the currency of a wallet. */
export function isOwnersLine(line: LineRow, { ownerBytes }: WalletRow): boolean {
  const { bytes, userAt, currencyAt, currencyEnd } = line;
  const length = currencyEnd - currencyAt;
  return (
    length === ownerBytes.length - uuidBytes &&
    equalBytes(bytes, userAt, ownerBytes, 0, uuidBytes) &&
    equalBytes(bytes, currencyAt, ownerBytes, uuidBytes, length)
  );
}
