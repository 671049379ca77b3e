import { operationOfCode } from '../operations.ts';
import type { FileRow, StatementFileLine } from './types.ts';

const tab = 0x09;
const newline = 0x0a;
const minus = 0x2d;
const zero = 0x30;
const backslash = 0x5c;
const idLength = 36;
/** So many digits, and a sum of two such numbers, are exact. */
const exactDigits = 15;

/** Reads rows into `row`; `read` answers where the next one begins. Throws where it is no row. */
export function createRowReader() {
  const row: FileRow = {
    ...{ bytes: Buffer.alloc(0), idAt: 0, operation: 0, occurredAtMs: 0 },
    ...{ amountAt: 0, amountEnd: 0, balanceAt: 0, balanceEnd: 0, amount: 0, balance: 0 },
    ...{ contraAt: 0, contraEnd: 0, hasNote: false, noteAt: 0, noteEnd: 0 },
  };
  const read = (bytes: Buffer, start: number): number => {
    row.bytes = bytes;
    row.idAt = start;
    const operationAt = start + idLength + 1;
    row.operation = (bytes[operationAt] ?? 0) - zero;
    row.amountAt = operationAt + 2;
    row.amountEnd = findEnd(bytes, row.amountAt, tab);
    row.amount = readNumber(bytes, row.amountAt, row.amountEnd);
    row.balanceAt = row.amountEnd + 1;
    row.balanceEnd = findEnd(bytes, row.balanceAt, tab);
    row.balance = readNumber(bytes, row.balanceAt, row.balanceEnd);
    const timeAt = row.balanceEnd + 1;
    const timeEnd = findEnd(bytes, timeAt, tab);
    row.occurredAtMs = readNumber(bytes, timeAt, timeEnd);
    row.contraAt = timeEnd + 1;
    row.contraEnd = findEnd(bytes, row.contraAt, tab);
    row.noteAt = row.contraEnd + 1;
    row.noteEnd = findEnd(bytes, row.noteAt, newline);
    // A text of a backslash and an N has its backslash doubled.
    row.hasNote =
      row.noteEnd - row.noteAt !== 2 ||
      bytes[row.noteAt] !== backslash ||
      bytes[row.noteAt + 1] !== 0x4e;
    if (bytes[operationAt - 1] !== tab || bytes[operationAt + 1] !== tab) failRow();
    return row.noteEnd + 1;
  };
  return { row, read };
}

function failRow(): never {
  throw new Error('a row of a statement cannot be read');
}

function findEnd(bytes: Buffer, start: number, end: number): number {
  for (let at = start; at < bytes.length; at += 1) {
    if (bytes[at] === end) return at;
  }
  return failRow();
}

function readNumber(bytes: Buffer, start: number, end: number): number {
  const isNegative = bytes[start] === minus;
  const first = isNegative ? start + 1 : start;
  if (end - first > exactDigits) return NaN;
  let value = 0;
  for (let at = first; at < end; at += 1) value = value * 10 + ((bytes[at] ?? 0) - zero);
  return isNegative ? -value : value;
}

/** A whole number of a row, however long. */
export const readMinor = ({ bytes }: FileRow, start: number, end: number): bigint =>
  BigInt(bytes.toString('latin1', start, end));

/** The same line as every format can write it. */
export function toFileLine(row: FileRow, seq: bigint): StatementFileLine {
  const { bytes, idAt } = row;
  return {
    seq,
    occurredAtMs: row.occurredAtMs,
    transactionId: bytes.toString('latin1', idAt, idAt + idLength),
    operation: operationOfCode(row.operation),
    description: row.hasNote ? readText(bytes, row.noteAt, row.noteEnd) : undefined,
    amountMinor: readMinor(row, row.amountAt, row.amountEnd),
    balanceAfterMinor: readMinor(row, row.balanceAt, row.balanceEnd),
    contraAccount: readText(bytes, row.contraAt, row.contraEnd),
  };
}

const escapes: Readonly<Record<string, string>> = {
  ...{ b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
};

function readText(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  if (!text.includes('\\')) return text;
  return text.replaceAll(/\\(.)/gsu, (_all: string, after: string) => escapes[after] ?? after);
}
