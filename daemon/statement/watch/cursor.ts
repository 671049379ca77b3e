import { createHash } from 'node:crypto';

import { findExponent } from '../../../core/currencies.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type { Position } from './positions.ts';

/** Whose wallets are watched, and within which bound. */
export type WatchScope = {
  /** Sorted, each once. */
  readonly userIds: readonly string[];
  /** The wallet of an API key that is for one only. */
  readonly onlyWalletId: string | undefined;
};

/** Wallets of one watch. */
export const maxWallets = 50;

/** In characters; a cursor of ours has at most 1,346. */
export const maxCursorLength = 4_096;

// Version, digest of scope and entries, then an entry for each wallet: its user's place in the
// scope, currency, seq of the last line that was sent, and the first bytes of that line's hash.
const version = 1;
const digestBytes = 8;
const currencyBytes = 3;
const seqBytes = 8;
const hashBytes = 8;
/** As in events. */
const maxSeq = BigInt(Number.MAX_SAFE_INTEGER);
const headBytes = 1 + digestBytes;
const entryBytes = 1 + currencyBytes + seqBytes + hashBytes;

/**
 * Where a watch stands, as an opaque text. It names no wallet: an entry is a currency of one of the
 * users in the scope, whom each request names, and may name only if the caller may see them. So a
 * cursor that was made up or stolen gives no rights.
 */
export function encodeCursor(scope: WatchScope, positions: Iterable<Position>): string {
  const entries = Buffer.concat([...positions].map((each) => encodeEntry(scope, each)));
  const head = [Buffer.from([version]), digestOf(scope, entries)];
  return Buffer.concat([...head, entries]).toString('base64url');
}

function encodeEntry({ userIds }: WatchScope, { userId, currency, seq, hash }: Position): Buffer {
  const entry = Buffer.alloc(entryBytes);
  entry.writeUInt8(userIds.indexOf(userId), 0);
  entry.write(currency, 1, 'latin1');
  entry.writeBigInt64BE(seq, 1 + currencyBytes);
  entry.write(hash.slice(0, 2 * hashBytes), entryBytes - hashBytes, 'hex');
  return entry;
}

/**
 * The positions of a cursor; undefined for an empty text. INVALID_ARGUMENT for another scope's
 * cursor and for anything made up.
 */
export function decodeCursor(scope: WatchScope, text: string): Result<Position[] | undefined> {
  if (text === '') return succeed(undefined);
  const bytes = Buffer.from(text, 'base64url');
  const count = (bytes.length - headBytes) / entryBytes;
  const isOurs =
    bytes.toString('base64url') === text &&
    bytes[0] === version &&
    Number.isInteger(count) &&
    count >= 0 &&
    count <= maxWallets &&
    bytes.subarray(1, headBytes).equals(digestOf(scope, bytes.subarray(headBytes)));
  if (!isOurs) return notOurs;
  const positions = new Map<string, Position>();
  for (let start = headBytes; start < bytes.length; start += entryBytes) {
    const position = decodeEntry(scope, bytes.subarray(start, start + entryBytes));
    if (!position || positions.has(position.walletId)) return notOurs;
    positions.set(position.walletId, position);
  }
  return succeed([...positions.values()]);
}

function decodeEntry({ userIds, onlyWalletId }: WatchScope, entry: Buffer): Position | undefined {
  const userId = userIds[entry.readUInt8(0)];
  const currency = entry.toString('latin1', 1, 1 + currencyBytes);
  const seq = entry.readBigInt64BE(1 + currencyBytes);
  if (userId === undefined || findExponent(currency) === undefined) return undefined;
  if (seq < 0n || seq > maxSeq) return undefined;
  const walletId = walletIdOf(userId, currency);
  if (onlyWalletId !== undefined && onlyWalletId !== walletId) return undefined;
  const hash = entry.toString('hex', entryBytes - hashBytes);
  return { walletId, userId, currency, seq, hash, isConfirmed: false };
}

/** Finds accidents, and cursors of other users. It is no signature: none is needed. */
const digestOf = ({ userIds, onlyWalletId = '' }: WatchScope, entries: Buffer): Buffer =>
  createHash('sha256')
    .update([...userIds, onlyWalletId, ''].join(','))
    .update(entries)
    .digest()
    .subarray(0, digestBytes);

const notOurs = refuse(
  'INVALID_ARGUMENT',
  'cursor was not made for these users: leave it out to watch from now on',
  { field: 'cursor' },
);
