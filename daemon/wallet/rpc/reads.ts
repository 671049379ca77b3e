import { isStorableTime } from '../../../core/time/calendar.ts';
import { currencyCodes, exponentOf } from '../../../core/currencies.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import {
  WalletStatus,
  type GetBalanceRequest,
  type GetBalanceResponse,
  type ListWalletsRequest,
  type ListWalletsResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { checkWalletOfKey, resolveSubject, type Principal } from '../../platform/access/access.ts';
import { readClock, type Db, type Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  pageSizeOf,
  takePage,
} from '../../platform/page-token.ts';
import { isOpened, type WalletRef, type WalletState } from '../domain.ts';
import { readNow, readAtWatermark } from '../store/read-wallet.ts';
import { refOf } from '../requests/request.ts';
import { readHeldOver, readHeldOverAt } from '../store/held-over.ts';
import { findCorrupt } from '../store/states.ts';
import * as reads from '../store/reads.ts';
import * as store from '../store/store.ts';
import type { KnownUsers } from '../requests/users.ts';
import { toWireBalance, toWirePast, toWireWallet } from '../wire.ts';

export type ReadOptions = {
  readonly db: Db;
  readonly users: KnownUsers;
  readonly defaultCurrency: string;
};

const defaultPageSize = 50;
const maxPageSize = 1_000;

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
  const { wallet, nowMs, heldOverMinor } = read.value;
  const hashOfSeq = await findHash(options.db, wallet.id, request.hashOfSeq);
  if (!at) {
    const lastHash = wallet.seq === 0n ? undefined : Buffer.from(wallet.lastHash, 'hex');
    const now = { ...toWireBalance(wallet, heldOverMinor), lastHash };
    return succeed({ wallet: now, asOf: new Date(nowMs), hashOfSeq });
  }
  // This very millisecond is not over yet.
  const asOfMs = Math.min(at.getTime(), nowMs - 1);
  const past = await options.db.snapshot(async (tx) => {
    const then = await reads.readWalletAt(tx, wallet, asOfMs);
    return toWirePast(then, await readHeldOverAt(tx, then, asOfMs));
  });
  return succeed({ wallet: past, asOf: new Date(asOfMs), hashOfSeq });
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
    const { found, asOf, ...rest } = await readListed(options.db, (tx) =>
      reads.listWallets(tx, 'opened', query),
    );
    const { page, last } = takePage(found, size.value, () => walletBytes);
    const nextPageToken = last ? encodePageToken([request.userId], { id: last.id }) : '';
    return succeed({ wallets: toListed(page, rest), nextPageToken, asOf });
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
  const { found, asOf, ...rest } = await readListed(options.db, (tx) =>
    store.readWallets(tx, reached, 'none'),
  );
  const wallets = found
    .filter((wallet) => isOpened(wallet) || rest.corrupt.has(wallet.id))
    .sort((a, b) => (a.currency < b.currency ? -1 : 1));
  return succeed({ wallets: toListed(wallets, rest), nextPageToken: '', asOf });
}

type Listed = {
  /** Those that contradict their last transaction. */
  readonly corrupt: ReadonlySet<string>;
  readonly heldOver: ReadonlyMap<string, bigint>;
};

/** Wallets of one moment, and what else is to be known of them. */
const readListed = (db: Db, read: (tx: Tx) => Promise<readonly WalletState[]>) =>
  db.snapshot(async (tx) => {
    const clockMs = await readClock(tx);
    const found = await read(tx);
    const corrupt = await findCorrupt(tx, found);
    const heldOver = await readHeldOver(tx, found, clockMs);
    return { asOf: new Date(clockMs), found, corrupt, heldOver };
  });

/** One wallet that contradicts itself keeps no caller from the others; its balance is not shown. */
const toListed = (wallets: readonly WalletState[], { corrupt, heldOver }: Listed) =>
  wallets.map((wallet) =>
    corrupt.has(wallet.id)
      ? { ...toWireWallet(wallet), status: WalletStatus.CORRUPT, balanceMinor: 0n }
      : toWireBalance(wallet, heldOver.get(wallet.id)),
  );

/** A wallet has ids, numbers and a hash, and no text of others. */
const walletBytes = 400;

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
