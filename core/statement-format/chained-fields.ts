import { copyBytes, countDigits, writeDigits, writeUuidText } from '../bytes.ts';
import { canonicalMetadata, parseMetadata } from '../chain.ts';

const minus = 0x2d;
const colon = 0x3a;
const semicolon = 0x3b;
const idLength = 36;
const uuidBytes = 16;
export const hashBytes = 32;
/** What is below this, and a sum of two such numbers, is exact. */
const exactBelow = 10 ** 15;
const twoTo32 = 2 ** 32;
/** Of the year 2000, from which Postgres counts. */
export const epochMs = 946_684_800_000;

/**
 * Fields of a row in the binary format of COPY, and the bytes that are hashed of them. Each of the
 * functions below takes the next field, and writes it as the layout of `contentDigest` says.
 */
export type Cursor = {
  /** The next field begins at `from`, the row ends at `end`. */
  bytes: Buffer;
  from: number;
  end: number;
  into: Buffer;
  at: number;
  /** Where the value of the field that was written last lies, without what is around it. */
  valueAt: number;
  valueEnd: number;
};

export function failRow(): never {
  throw new Error('a row of a statement cannot be read');
}

/** The length of the next field, which follows; -1 for null. */
export function readLength(cursor: Cursor): number {
  const length = readInt32(cursor.bytes, cursor.from);
  cursor.from += 4;
  if (length > cursor.end - cursor.from) failRow();
  return length;
}

function readFixed(cursor: Cursor, expected: number): number {
  if (readLength(cursor) !== expected) failRow();
  const start = cursor.from;
  cursor.from += expected;
  return start;
}

/** Where a hash lies in the row; -1 where it is absent, or none. */
export function skipHash(cursor: Cursor): number {
  const length = readLength(cursor);
  const start = cursor.from;
  if (length > 0) cursor.from += length;
  return length === hashBytes ? start : -1;
}

function begin(cursor: Cursor, length: number): void {
  const at = writeDigits(cursor.into, length, countDigits(length), cursor.at);
  cursor.into[at] = colon;
  cursor.valueAt = at + 1;
}

function end(cursor: Cursor, at: number): void {
  cursor.valueEnd = at;
  cursor.into[at] = semicolon;
  cursor.at = at + 1;
}

function writeAbsent(cursor: Cursor): void {
  cursor.into[cursor.at] = minus;
  cursor.valueAt = cursor.at + 1;
  end(cursor, cursor.valueAt);
}

function writeBytes(cursor: Cursor, source: Buffer, start: number, length: number): void {
  begin(cursor, length);
  end(cursor, copyBytes(source, start, start + length, cursor.into, cursor.valueAt));
}

export function writeUuid(cursor: Cursor): void {
  const length = readLength(cursor);
  if (length < 0) {
    writeAbsent(cursor);
    return;
  }
  if (length !== uuidBytes) failRow();
  begin(cursor, idLength);
  end(cursor, writeUuidText(cursor.into, cursor.bytes, cursor.from, cursor.valueAt));
  cursor.from += uuidBytes;
}

/** A text, or that it is absent; answers whether there is one. */
export function writeText(cursor: Cursor): boolean {
  const length = readLength(cursor);
  if (length < 0) {
    writeAbsent(cursor);
    return false;
  }
  writeBytes(cursor, cursor.bytes, cursor.from, length);
  cursor.from += length;
  return true;
}

/** A text that is empty where it is absent. */
export function writeTextOrEmpty(cursor: Cursor): void {
  const length = Math.max(0, readLength(cursor));
  writeBytes(cursor, cursor.bytes, cursor.from, length);
  cursor.from += length;
}

function writeWhole(cursor: Cursor, value: number): void {
  const isNegative = value < 0;
  const size = isNegative ? -value : value;
  const digits = countDigits(size);
  begin(cursor, isNegative ? digits + 1 : digits);
  let at = cursor.valueAt;
  if (isNegative) {
    cursor.into[at] = minus;
    at += 1;
  }
  end(cursor, writeDigits(cursor.into, size, digits, at));
}

/** An int8. Answers its value where that is exact in a number; otherwise NaN. */
export function writeLong(cursor: Cursor): number {
  const start = readFixed(cursor, 8);
  const value = readInt64(cursor.bytes, start);
  if (-exactBelow < value && value < exactBelow) {
    writeWhole(cursor, value);
    return value;
  }
  const digits = Buffer.from(cursor.bytes.readBigInt64BE(start).toString());
  writeBytes(cursor, digits, 0, digits.length);
  return NaN;
}

/** An int8, or that it is absent; answers whether there is one. */
function writeLongIfAny(cursor: Cursor): boolean {
  if (readInt32(cursor.bytes, cursor.from) >= 0) {
    writeLong(cursor);
    return true;
  }
  cursor.from += 4;
  writeAbsent(cursor);
  return false;
}

/** An int8 that is not hashed; NaN where it is not exact in a number. */
export function readLong(cursor: Cursor): number {
  const value = readInt64(cursor.bytes, readFixed(cursor, 8));
  return -exactBelow < value && value < exactBelow ? value : NaN;
}

/** An int8, 0 where it is absent; not one of what is hashed. */
export function readLongOrNone(cursor: Cursor): bigint {
  const length = readLength(cursor);
  if (length < 0) return 0n;
  if (length !== 8) failRow();
  cursor.from += 8;
  return cursor.bytes.readBigInt64BE(cursor.from - 8);
}

/** Where two of the fields lie, -1 where they are absent. */
type HeldPlaces = {
  heldAt: number;
  heldEnd: number;
  heldAfterAt: number;
  heldAfterEnd: number;
};

/** held, held_after, parent_used and group_id, in this order: nothing where all are absent. */
export function writeMore(cursor: Cursor, places?: HeldPlaces): void {
  const { at } = cursor;
  let hasSome = writeLongIfAny(cursor);
  if (places) {
    places.heldAt = hasSome ? cursor.valueAt : -1;
    places.heldEnd = cursor.valueEnd;
  }
  const hasAfter = writeLongIfAny(cursor);
  if (places) {
    places.heldAfterAt = hasAfter ? cursor.valueAt : -1;
    places.heldAfterEnd = cursor.valueEnd;
  }
  if (hasAfter) hasSome = true;
  if (writeLongIfAny(cursor)) hasSome = true;
  if (readInt32(cursor.bytes, cursor.from) >= 0) hasSome = true;
  writeUuid(cursor);
  if (!hasSome) cursor.at = at;
}

/** An int2 by the name that it stands for; answers the number. Throws where it has no name. */
export function writeName(cursor: Cursor, names: readonly (Buffer | undefined)[]): number {
  const code = readInt16(cursor.bytes, readFixed(cursor, 2));
  const name = names[code] ?? failRow();
  writeBytes(cursor, name, 0, name.length);
  return code;
}

export function writeMetadata(cursor: Cursor): void {
  const length = readLength(cursor);
  const start = cursor.from;
  cursor.from += Math.max(0, length);
  const canonical =
    length < 0
      ? undefined
      : canonicalMetadata(parseMetadata(cursor.bytes.toString('utf8', start, cursor.from)));
  if (canonical === undefined) {
    writeAbsent(cursor);
    return;
  }
  const text = Buffer.from(canonical);
  writeBytes(cursor, text, 0, text.length);
}

/** A timestamptz; answers its milliseconds. */
export function writeTime(cursor: Cursor): number {
  const micros = readInt64(cursor.bytes, readFixed(cursor, 8));
  const timeMs = Math.round(micros / 1_000) + epochMs;
  // An infinite one is not what the hash says, whatever is written.
  if (Math.abs(timeMs) < exactBelow) writeWhole(cursor, timeMs);
  else writeAbsent(cursor);
  return timeMs;
}

// By hand: the methods of Buffer check their arguments, which takes longer than to read.

export function readInt16(bytes: Buffer, at: number): number {
  return (((bytes[at] ?? 0) << 24) >> 16) | (bytes[at + 1] ?? 0);
}

export function readInt32(bytes: Buffer, at: number): number {
  const high = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16);
  return high | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
}

/** Exact up to 2^53. */
export function readInt64(bytes: Buffer, at: number): number {
  return readInt32(bytes, at) * twoTo32 + (readInt32(bytes, at + 4) >>> 0);
}
