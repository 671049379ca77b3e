import { equalBytes } from '../bytes.ts';
import * as fields from '../statement-format/chained-fields.ts';
import { failRow, readInt32, readInt64 } from '../statement-format/chained-fields.ts';
import { idOffset, readUuid, uuidBytes, type LineRow } from './rows.ts';

/** The order of columns in which wallets are read. */
export const walletColumns = [
  ...['id', 'user_id', 'currency', 'exponent', 'balance', 'seq', 'last_at', 'last_hash'],
  ...['debited', 'held', 'floor', 'status', 'overdraft_limit', 'terms_no', 'next_expiry'],
] as const;

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
  readonly debitedMinor: bigint;
  readonly heldMinor: bigint;
  readonly floorMinor: bigint;
  readonly status: string;
  readonly overdraftMinor: bigint;
  /** 0: an operator has never decided anything about it. */
  readonly termsNo: number;
  /** Since 2000; undefined if there is none. */
  readonly nextExpiryMicros: number | undefined;
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
  const hashEnd = hashAt + readInt32(bytes, hashAt - 4);
  const debitedAt = hashEnd + 4;
  const heldAt = debitedAt + 8 + 4;
  const floorAt = heldAt + 8 + 4;
  const statusAt = floorAt + 8 + 4;
  const statusEnd = statusAt + readInt32(bytes, statusAt - 4);
  const overdraftAt = statusEnd + 4;
  const termsAt = overdraftAt + 8 + 4;
  const expiryAt = termsAt + 4 + 4;
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
    lastHash: bytes.toString('latin1', hashAt, hashEnd),
    debitedMinor: bytes.readBigInt64BE(debitedAt),
    heldMinor: bytes.readBigInt64BE(heldAt),
    floorMinor: bytes.readBigInt64BE(floorAt),
    status: bytes.toString('latin1', statusAt, statusEnd),
    overdraftMinor: bytes.readBigInt64BE(overdraftAt),
    termsNo: readInt32(bytes, termsAt),
    nextExpiryMicros: readInt32(bytes, expiryAt - 4) < 0 ? undefined : readInt64(bytes, expiryAt),
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
