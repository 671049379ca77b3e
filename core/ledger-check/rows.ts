import { createScratch, toUuid } from '../bytes.ts';
import { canonicalMetadata, chainVersion, parseMetadata } from '../chain.ts';
import { operations, operationTable } from '../operations.ts';
import * as fields from '../statement-format/chained-fields.ts';
import { failRow, hashBytes, readInt32, readInt64 } from '../statement-format/chained-fields.ts';

/** What entries and lines have in common, in one order: equal rows have equal bytes. */
const sharedNames = [
  ...['transaction_id', 'operation', 'amount', 'balance_after', 'contra_account', 'parent_id'],
  ...['source', 'actor', 'description', 'metadata', 'occurred_at'],
  ...['held', 'held_after', 'parent_used', 'group_id', 'hash'],
] as const;

/** The order of columns in which rows are read. `source` of an entry is given by its name. */
export const entryColumns = [
  ...['wallet_id', 'seq', ...sharedNames, 'parent_amount', 'debited_after'],
] as const;
export const lineColumns = [
  ...['wallet_id', 'seq', 'previous_hash', 'user_id', 'currency'],
  ...sharedNames,
] as const;

export const uuidBytes = 16;
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
  /** Where the part begins and ends that a line has, too; it begins with the id. */
  sharedAt: number;
  sharedEnd: number;
  seq: number;
  operation: number;
  /** In minor units; NaN where that is not exact in a number: `readAmount`, `readBalance`. */
  amount: number;
  balance: number;
  /** The same of all debits so far: `readDebited`. */
  debited: number;
  amountAt: number;
  balanceAt: number;
  debitedAt: number;
  contraAt: number;
  contraEnd: number;
  /** 16 bytes; -1 without one. */
  parentAt: number;
  /** One of the next four has a value. */
  hasMore: boolean;
  /** 0 where the columns are NULL. */
  heldMinor: bigint;
  heldAfterMinor: bigint;
  parentUsedMinor: bigint;
  parentAmountMinor: bigint;
  /** `walletd` itself entered it. */
  isOfSystem: boolean;
  /** -1 without any. */
  metadataAt: number;
  metadataEnd: number;
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
    ...{ bytes: nothing, sharedAt: 0, sharedEnd: 0, seq: 0, operation: 0, micros: 0 },
    ...{ amount: 0, balance: 0, debited: 0, amountAt: 0, balanceAt: 0, debitedAt: 0 },
    ...{ contraAt: 0, contraEnd: 0, parentAt: -1, hashAt: -1, hasMore: false },
    ...{ isOfSystem: false, metadataAt: -1, metadataEnd: -1 },
    ...{ heldMinor: 0n, heldAfterMinor: 0n, parentUsedMinor: 0n, parentAmountMinor: 0n },
    content: nothing,
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
    fields.writeUuid(cursor);
    readNumbers(cursor, row, start);
    readRest(cursor, row);
    row.sharedEnd = cursor.from;
    row.parentAmountMinor = fields.readLongOrNone(cursor);
    row.debitedAt = cursor.from + 4;
    row.debited = fields.readLong(cursor);
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
export const readDebited = ({ bytes, debitedAt }: EntryRow): bigint =>
  bytes.readBigInt64BE(debitedAt);
export function readDebit(row: EntryRow): bigint {
  const amountMinor = readAmount(row);
  return amountMinor < 0n ? -amountMinor : 0n;
}
export const readHeld = ({ heldMinor }: EntryRow): bigint => heldMinor;
export const readHeldAfter = ({ heldAfterMinor }: EntryRow): bigint => heldAfterMinor;

function readRest(cursor: fields.Cursor, row: EntryRow): void {
  row.contraAt = cursor.from + 4;
  fields.writeText(cursor);
  row.contraEnd = cursor.from;
  const parentAt = cursor.from + 4;
  fields.writeUuid(cursor);
  row.parentAt = cursor.from > parentAt ? parentAt : -1;
  const sourceAt = cursor.from + 4;
  fields.writeTextOrEmpty(cursor);
  row.isOfSystem = isText(cursor.bytes, sourceAt, cursor.from, 'system');
  fields.writeTextOrEmpty(cursor);
  fields.writeText(cursor);
  row.metadataAt = cursor.from + 4;
  fields.writeMetadata(cursor);
  row.metadataEnd = cursor.from;
  if (row.metadataEnd === row.metadataAt) row.metadataAt = -1;
  fields.writeTime(cursor);
  row.micros = readInt64(cursor.bytes, cursor.from - 8);
  const { from } = cursor;
  fields.writeMore(cursor);
  readMore(cursor, from, row);
  row.hashAt = fields.skipHash(cursor);
}

function isText(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i += 1) {
    if (bytes[start + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}

/** Milliseconds since 1970 of a time as Postgres counts. */
export const toTimeMs = (micros: number): number => micros / 1_000 + fields.epochMs;

/** The metadata of an entry as they are stored; empty without any. */
export function readMetadata(row: EntryRow): Readonly<Record<string, unknown>> {
  const { bytes, metadataAt, metadataEnd } = row;
  if (metadataAt < 0) return {};
  const found: unknown = parseMetadata(bytes.toString('utf8', metadataAt, metadataEnd));
  return typeof found === 'object' && found !== null ? { ...found } : {};
}

export const readId = ({ bytes, sharedAt }: EntryRow): string => readUuid(bytes, sharedAt + 4);

const nullBytes = 4;

/** The amounts of the four columns that are NULL in most rows; they begin at `from`. */
function readMore(cursor: fields.Cursor, from: number, row: EntryRow): void {
  row.heldMinor = row.heldAfterMinor = row.parentUsedMinor = 0n;
  const next = cursor.from;
  row.hasMore = next - from > 4 * nullBytes;
  if (!row.hasMore) return;
  cursor.from = from;
  row.heldMinor = fields.readLongOrNone(cursor);
  row.heldAfterMinor = fields.readLongOrNone(cursor);
  row.parentUsedMinor = fields.readLongOrNone(cursor);
  cursor.from = next;
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
  const { bytes: a, sharedAt: aStart, sharedEnd: aEnd } = entry;
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
