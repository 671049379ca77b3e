import { isStorableTime } from '../../../core/time/calendar.ts';
import { currencyCodes, exponentOf } from '../../../core/currencies.ts';
import { isUuid, transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import { canonicalText } from '../../../core/text.ts';
import { operationOfWireNumber } from '../../../core/operations.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import {
  Operation as WireOperation,
  WalletStatus,
  type GetBalanceRequest,
  type GetBalanceResponse,
  type GetTransactionRequest,
  type GetTransactionResponse,
  type ListTransactionsRequest,
  type ListTransactionsResponse,
  type ListWalletsRequest,
  type ListWalletsResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  asDenial,
  checkWalletOfKey,
  resolveSubject,
  type Principal,
} from '../../platform/access/access.ts';
import { readClock, type Db, type Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { readIdPrefix } from '../../platform/id-prefix.ts';
import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  pageSizeOf,
  takePage,
  textBytes,
} from '../../platform/page-token.ts';
import { isOpened, type Entry, type WalletRef, type WalletState } from '../domain.ts';
import { readNow, readAtWatermark } from '../store/read-wallet.ts';
import { refOf } from '../requests/request.ts';
import { findCorrupt } from '../store/states.ts';
import * as reads from '../store/reads.ts';
import * as store from '../store/store.ts';
import type { KnownUsers } from '../requests/users.ts';
import { toWireTransaction, toWireWallet } from '../wire.ts';

export type ReadOptions = {
  readonly db: Db;
  readonly users: KnownUsers;
  readonly defaultCurrency: string;
};

const defaultPageSize = 50;
const maxPageSize = 1_000;

/** One transaction, by its id or by the caller's idempotency key. */
export async function getTransaction(
  options: ReadOptions,
  request: GetTransactionRequest,
  { principal }: CallContext,
): Promise<Result<GetTransactionResponse>> {
  const isStaff = principal.kind === 'user' && principal.role !== 'customer';
  const { by } = request;
  if (by?.$case === 'idempotencyKey') {
    const ref = readRef(options, request, principal);
    if (!ref.ok) return ref;
    const callerClass = isStaff ? 'staff' : 'customer';
    const id = transactionIdOf(ref.value.id, callerClass, canonicalText(by.value));
    return findTransaction(options, principal, id, ref.value.userId, 'this idempotency key');
  }
  if (!by || !isUuid(by.value)) {
    return refuse('INVALID_ARGUMENT', 'transaction_id must be a UUID in lower case', {
      field: 'transaction_id',
    });
  }
  // Staff may look up any transaction by its id; naming the user narrows it.
  if (isStaff && request.userId === '') {
    return findTransaction(options, principal, by.value, undefined, `the id ${by.value}`);
  }
  const subject = resolveSubject(principal, request.userId);
  if (!subject.ok) return subject;
  return findTransaction(options, principal, by.value, subject.value, `the id ${by.value}`);
}

async function findTransaction(
  { db }: ReadOptions,
  principal: Principal,
  id: string,
  userId: string | undefined,
  what: string,
): Promise<Result<GetTransactionResponse>> {
  const entry = await db.read((tx) => reads.findEntry(tx, id, userId));
  const absent = refuse('TRANSACTION_NOT_FOUND', `there is no transaction with ${what}`, {
    transactionId: id,
  });
  if (!entry) return absent;
  // On a wallet that the API key is not for: answered as absent, and recorded in the audit log.
  if (!checkWalletOfKey(principal, entry.wallet.id).ok) return asDenial(absent);
  return succeed({ transaction: toWireTransaction(entry) });
}

/** A page of a wallet's transactions. */
export async function listTransactions(
  options: ReadOptions,
  request: ListTransactionsRequest,
  { principal }: CallContext,
): Promise<Result<ListTransactionsResponse>> {
  const ref = readRef(options, request, principal);
  if (!ref.ok) return ref;
  const operation = operationOfWireNumber(request.operation);
  if (!operation && request.operation !== WireOperation.UNSPECIFIED) {
    return refuse('INVALID_ARGUMENT', 'operation is unknown', { field: 'operation' });
  }
  const ids = readIdPrefix(request.idPrefix);
  if (!ids.ok) return ids;
  const query = [ref.value.id, request.ascending, request.operation, request.idPrefix];
  const cursor = decodePageToken(query, request.pageToken, { seq: cursorParts.seq });
  if (!cursor.ok) return cursor;
  const size = pageSizeOf(request.pageSize, defaultPageSize, maxPageSize);
  if (!size.ok) return size;
  const start = request.ascending ? 0n : 2n ** 63n - 1n;
  const found = await options.db.read((tx) =>
    reads.listEntries(tx, ref.value, {
      isAscending: request.ascending,
      afterSeq: BigInt(cursor.value?.['seq'] ?? start),
      operation,
      ids: ids.value,
      limit: size.value + 1,
    }),
  );
  const { page, last } = takePage(found, size.value, bytesOf);
  return succeed({
    transactions: page.map(toWireTransaction),
    nextPageToken: last ? encodePageToken(query, { seq: last.seq.toString() }) : '',
  });
}

/**
 * A wallet's balance, now or as of a time; 0 for one that was never opened. The hash of one of its
 * transactions with it, if that is wanted.
 */
export async function getBalance(
  options: ReadOptions,
  request: GetBalanceRequest,
  { principal }: CallContext,
): Promise<Result<GetBalanceResponse>> {
  const ref = readRef(options, request, principal);
  if (!ref.ok) return ref;
  const exists = await options.users.check(ref.value.userId);
  if (!exists.ok) return exists;
  const { at } = request;
  if (at && !isStorableTime(at.getTime())) {
    return refuse('INVALID_ARGUMENT', 'at must be a time in the years 1 to 9999', { field: 'at' });
  }
  // A reported past must not change: a commit in flight may belong to it.
  const needsSettled = at !== undefined || principal.kind === 'service';
  const read = await (needsSettled ? readAtWatermark : readNow)(options.db, ref.value);
  if (!read.ok) return read;
  const { wallet, nowMs } = read.value;
  const hashOfSeq = await findHash(options.db, wallet.id, request.hashOfSeq);
  if (!at) {
    const lastHash = wallet.seq === 0n ? undefined : Buffer.from(wallet.lastHash, 'hex');
    const now = { ...toWireWallet(wallet), lastHash };
    return succeed({ wallet: now, asOf: new Date(nowMs), hashOfSeq });
  }
  // This very millisecond is not over yet.
  const asOfMs = Math.min(at.getTime(), nowMs - 1);
  const past = await options.db.read((tx) => reads.readWalletAt(tx, wallet, asOfMs));
  return succeed({ wallet: toWireWallet(past), asOf: new Date(asOfMs), hashOfSeq });
}

const findHash = async (
  db: Db,
  walletId: string,
  seq: bigint | undefined,
): Promise<Buffer | undefined> =>
  seq === undefined ? undefined : db.read((tx) => reads.findHash(tx, { walletId, seq }));

/** A user's wallets; for staff without a user, all there are. An API key may be for one only. */
export async function listWallets(
  options: ReadOptions,
  request: ListWalletsRequest,
  { principal }: CallContext,
): Promise<Result<ListWalletsResponse>> {
  const size = pageSizeOf(request.pageSize, defaultPageSize, maxPageSize);
  if (!size.ok) return size;
  const cursor = decodePageToken([request.userId], request.pageToken, { id: cursorParts.id });
  if (!cursor.ok) return cursor;
  const isStaff = principal.kind === 'user' && principal.role !== 'customer';
  const only = principal.kind === 'user' ? principal.apiKey?.walletId : undefined;
  if (isStaff && request.userId === '') {
    const after = cursor.value?.['id'] ?? '00000000-0000-0000-0000-000000000000';
    const query = { afterId: after, onlyId: only, limit: size.value + 1 };
    const { found, asOf, corrupt } = await readListed(options.db, (tx) =>
      reads.listWallets(tx, 'opened', query),
    );
    const { page, last } = takePage(found, size.value, () => walletBytes);
    const nextPageToken = last ? encodePageToken([request.userId], { id: last.id }) : '';
    return succeed({ wallets: toListed(page, corrupt), nextPageToken, asOf });
  }
  const subject = resolveSubject(principal, request.userId);
  if (!subject.ok) return subject;
  const exists = await options.users.check(subject.value);
  if (!exists.ok) return exists;
  // A user's wallets are known by their ids, one per currency: no index on the user is needed.
  const refs = currencyCodes.map((currency) => ({
    id: walletIdOf(subject.value, currency),
    userId: subject.value,
    currency,
    exponent: exponentOf(currency),
  }));
  const reached = refs.filter((ref) => checkWalletOfKey(principal, ref.id).ok);
  const { found, asOf, corrupt } = await readListed(options.db, (tx) =>
    store.readWallets(tx, reached, 'none'),
  );
  const wallets = found
    .filter((wallet) => isOpened(wallet) || corrupt.has(wallet.id))
    .sort((a, b) => (a.currency < b.currency ? -1 : 1));
  return succeed({ wallets: toListed(wallets, corrupt), nextPageToken: '', asOf });
}

/** Wallets of one moment, and which of them contradict their last transaction. */
const readListed = (db: Db, read: (tx: Tx) => Promise<readonly WalletState[]>) =>
  db.snapshot(async (tx) => {
    const asOf = new Date(await readClock(tx));
    const found = await read(tx);
    return { asOf, found, corrupt: await findCorrupt(tx, found) };
  });

/** One wallet that contradicts itself keeps no caller from the others; its balance is not shown. */
const toListed = (wallets: readonly WalletState[], corrupt: ReadonlySet<string>) =>
  wallets.map((wallet) =>
    corrupt.has(wallet.id)
      ? { ...toWireWallet(wallet), status: WalletStatus.CORRUPT, balanceMinor: 0n }
      : toWireWallet(wallet),
  );

/** A wallet has ids, numbers and a hash, and no text of others. */
const walletBytes = 400;

function bytesOf({ description, contraAccount, actor, metadata }: Entry): number {
  const texts = [description, contraAccount, actor, ...Object.entries(metadata).flat()];
  return texts.reduce((bytes, text) => bytes + textBytes(text), 400 + 16 * texts.length);
}

/** The wallet that a read names, if this caller may reach it. */
export function readRef(
  options: Pick<ReadOptions, 'defaultCurrency'>,
  request: { readonly userId: string; readonly currency: string },
  principal: Principal,
): Result<WalletRef> {
  const subject = resolveSubject(principal, request.userId);
  if (!subject.ok) return subject;
  const ref = refOf(subject.value, request.currency || options.defaultCurrency);
  if (!ref.ok) return ref;
  const reached = checkWalletOfKey(principal, ref.value.id);
  return reached.ok ? ref : reached;
}
