import { hash } from 'node:crypto';

import { copyBytes, writeUuid } from '../bytes.ts';
import { accountOfUser, userOfAccount } from '../contra-account.ts';
import { isUuid } from '../ids.ts';
import { absoluteMinor } from '../money.ts';
import { operationTable } from '../operations.ts';
import { readAmount, type EntryRow } from './rows.ts';
import type { WalletRow } from './read-wallet.ts';

const bucketCount = 65_536;
const wordsPerSum = 4;
const uuidBytes = 16;
const currencyBytes = 8;
const none = Buffer.alloc(uuidBytes);

/** Where the parts of what is hashed lie: id, payer, payee, parent, amount, used, the rest. */
const payerAt = uuidBytes;
const payeeAt = payerAt + uuidBytes;
const parentAt = payeeAt + uuidBytes;
const amountAt = parentAt + uuidBytes;
const usedAt = amountAt + 8;
const operationAt = usedAt + 8;
const currencyAt = operationAt + 2;

/** The ids from one to another, both included. */
export type IdRange = { readonly first: string; readonly last: string };

/**
 * Sums over the movements between two users' wallets: the payer's side adds a number that follows
 * from all that both sides share, the payee's subtracts the same, modulo 2^128. In whatever order
 * they come, a sum is 0 where each side has its other one. There are 65,536 sums, each of the ids
 * that begin with the same two bytes: ids are hashes, so that each has about as many.
 */
export function createPairSums() {
  const sums = new Uint32Array(bucketCount * wordsPerSum);
  const input = Buffer.alloc(currencyAt + currencyBytes);
  return {
    /** An entry whose contra account is a user's, and its wallet. */
    add: (row: EntryRow, wallet: WalletRow): void => {
      const idAt = row.sharedAt + 4;
      writeShared(input, row, wallet);
      const bucket = ((row.bytes[idAt] ?? 0) << 8) | (row.bytes[idAt + 1] ?? 0);
      addTo(sums, bucket * wordsPerSum, hash('sha256', input, 'binary'), readAmount(row) > 0n);
    },
    /** The ids among which a side has no other one. */
    listUneven: (): IdRange[] => {
      const uneven: IdRange[] = [];
      for (let bucket = 0; bucket < bucketCount; bucket += 1) {
        const words = sums.subarray(bucket * wordsPerSum, (bucket + 1) * wordsPerSum);
        if (words.some((word) => word !== 0)) uneven.push(rangeOf(bucket));
      }
      return uneven;
    },
  };
}

/** The same bytes for both sides of a movement, and for no other. */
function writeShared(input: Buffer, row: EntryRow, { userId, currency }: WalletRow): void {
  const { bytes } = row;
  const amountMinor = readAmount(row);
  const other = userOfAccount(bytes.toString('latin1', row.contraAt, row.contraEnd)) ?? '';
  const isPayer = amountMinor < 0n;
  copyBytes(bytes, row.sharedAt + 4, row.sharedAt + 4 + uuidBytes, input, 0);
  writeUuid(input, userId, isPayer ? payerAt : payeeAt);
  writeUuid(input, other, isPayer ? payeeAt : payerAt);
  const hasParent = row.parentAt >= 0 && sharesParent(row.operation);
  const parentFrom = hasParent ? row.parentAt : 0;
  copyBytes(hasParent ? bytes : none, parentFrom, parentFrom + uuidBytes, input, parentAt);
  input.writeBigInt64BE(absoluteMinor(amountMinor), amountAt);
  input.writeBigInt64BE(hasParent ? row.parentUsedMinor : 0n, usedAt);
  input.writeInt16BE(row.operation, operationAt);
  for (let i = 0; i < currencyBytes; i += 1) input[currencyAt + i] = currency.charCodeAt(i) || 0;
}

/** A capture has the hold as its parent, which only the payer's wallet has. */
const sharesParent = (operation: number): boolean => operation !== operationTable.capture.code;

/** Adds the first 16 bytes of a digest to a sum, or subtracts them; the lowest word comes first. */
function addTo(sums: Uint32Array, at: number, digest: string, isNegative: boolean): void {
  let carry = isNegative ? 1 : 0;
  for (let i = 0; i < wordsPerSum; i += 1) {
    const word = wordOf(digest, 4 * i);
    const sum = (sums[at + i] ?? 0) + (isNegative ? ~word >>> 0 : word) + carry;
    sums[at + i] = sum;
    carry = sum >= 2 ** 32 ? 1 : 0;
  }
}

const wordOf = (digest: string, at: number): number =>
  ((digest.charCodeAt(at) << 24) |
    (digest.charCodeAt(at + 1) << 16) |
    (digest.charCodeAt(at + 2) << 8) |
    digest.charCodeAt(at + 3)) >>>
  0;

function rangeOf(bucket: number): IdRange {
  const start = bucket.toString(16).padStart(4, '0');
  const fill = (digit: string): string =>
    `${start}${[4, 4, 4, 4, 12].map((length) => digit.repeat(length)).join('-')}`;
  return { first: fill('0'), last: fill('f') };
}

/** Whether a contra account names another user than the wallet's own. */
export function namesOther(contraAccount: string, ownUserId: string | undefined): boolean {
  const userId = userOfAccount(contraAccount);
  return userId !== undefined && isUuid(userId) && userId !== ownUserId;
}

/** One side of a movement between two users' wallets. */
export type PairSide = {
  readonly walletId: string;
  readonly seq: bigint;
  readonly id: string;
  /** Its code. */
  readonly operation: number;
  readonly amountMinor: bigint;
  readonly contraAccount: string;
  readonly parentId: string | undefined;
  readonly parentUsedMinor: bigint;
  /** Of its wallet. */
  readonly userId: string;
  readonly currency: string;
};

/** Those of the sides of one id that have no other one, and why. */
export function findUnpaired(
  sides: readonly PairSide[],
): { readonly side: PairSide; readonly detail: string }[] {
  const left = [...sides];
  for (const side of sides) {
    if (side.amountMinor > 0n || !left.includes(side)) continue;
    const other = left.find((one) => one.amountMinor > 0n && listUnequal(side, one).length === 0);
    if (!other) continue;
    left.splice(left.indexOf(side), 1);
    left.splice(left.indexOf(other), 1);
  }
  return left.map((side) => ({ side, detail: explain(side, left) }));
}

function explain(side: PairSide, left: readonly PairSide[]): string {
  const other = left.find(({ walletId }) => walletId !== side.walletId);
  if (!other) return `${side.contraAccount} has no entry of transaction ${side.id} against it`;
  const names = listUnequal(side, other).join(', ');
  return `its other side, entry ${other.seq} of wallet ${other.walletId}, differs in ${names}`;
}

/** In what two sides do not fit each other. */
function listUnequal(a: PairSide, b: PairSide): string[] {
  const names: string[] = [];
  if (a.operation !== b.operation) names.push('operation');
  if (a.amountMinor !== -b.amountMinor) names.push('amount');
  const isMutual =
    a.contraAccount === accountOfUser(b.userId) && b.contraAccount === accountOfUser(a.userId);
  if (!isMutual) names.push('contra_account');
  if (a.currency !== b.currency) names.push('currency');
  if (!sharesParent(a.operation)) return names;
  if (a.parentId !== b.parentId) names.push('parent_id');
  if (a.parentUsedMinor !== b.parentUsedMinor) names.push('parent_used');
  return names;
}
