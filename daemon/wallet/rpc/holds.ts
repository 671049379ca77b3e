import { findExponent } from '../../../core/currencies.ts';
import { isUuid } from '../../../core/ids.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import {
  HoldState as WireHoldState,
  type GetHoldRequest,
  type GetHoldResponse,
  type ListHoldsRequest,
  type ListHoldsResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  asDenial,
  checkWalletOfKey,
  resolveSubject,
  type Principal,
} from '../../platform/access/access.ts';
import { readClock } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  pageSizeOf,
  takePage,
  textBytes,
} from '../../platform/page-token.ts';
import type { HoldState } from '../domain.ts';
import {
  findHold,
  listHolds as readHolds,
  type HoldSpan,
  type OwnedHold,
} from '../store/list-holds.ts';
import { unknownCurrency } from '../requests/request.ts';
import { toWireHold, wireHoldStates } from './wire-holds.ts';
import { readRef, type ReadOptions } from './reads.ts';

const defaultPageSize = 50;
const maxPageSize = 1_000;

/** One hold by its id. HOLD_NOT_FOUND also for another user's. */
export async function getHold(
  { db }: ReadOptions,
  { holdId, userId }: GetHoldRequest,
  { principal }: CallContext,
): Promise<Result<GetHoldResponse>> {
  if (!isUuid(holdId)) {
    return refuse('INVALID_ARGUMENT', 'hold_id must be a UUID in lower case', { field: 'hold_id' });
  }
  const owner = resolveOwner(principal, userId);
  if (!owner.ok) return owner;
  const { found, nowMs } = await db.snapshot(async (tx) => ({
    nowMs: await readClock(tx),
    found: await findHold(tx, holdId, owner.value),
  }));
  const absent = refuse('HOLD_NOT_FOUND', `there is no hold ${holdId}`, {
    field: 'hold_id',
    holdId,
  });
  if (!found) return absent;
  // On a wallet that the API key is not for: answered as absent, and recorded in the audit log.
  if (!checkWalletOfKey(principal, found.wallet.id).ok) return asDenial(absent);
  return succeed({ hold: toWireHold(found.hold, found.wallet, nowMs) });
}

/** Whose holds are meant; undefined for all users', which staff may see. */
function resolveOwner(principal: Principal, userId: string): Result<string | undefined> {
  const isStaff = principal.kind === 'user' && principal.role !== 'customer';
  return isStaff && userId === '' ? succeed(undefined) : resolveSubject(principal, userId);
}

/** A page of a wallet's holds; for staff without a user, of all wallets'. */
export async function listHolds(
  options: ReadOptions,
  request: ListHoldsRequest,
  { principal }: CallContext,
): Promise<Result<ListHoldsResponse>> {
  const scope = await findScope(options, request, principal);
  if (!scope.ok) return scope;
  const { walletId, currency } = scope.value;
  const state = states.find((one) => wireHoldStates[one] === request.state);
  if (!state && request.state !== WireHoldState.UNSPECIFIED) {
    return refuse('INVALID_ARGUMENT', 'state is unknown', { field: 'state' });
  }
  const query = [walletId ?? null, currency ?? null, request.state];
  const shape = { expiresAtMs: cursorParts.timeMs, id: cursorParts.id };
  const cursor = decodePageToken(query, request.pageToken, shape);
  if (!cursor.ok) return cursor;
  const size = pageSizeOf(request.pageSize, defaultPageSize, maxPageSize);
  if (!size.ok) return size;
  const { expiresAtMs = '', id = '' } = cursor.value ?? {};
  const after = cursor.value && { expiresAtMs: Number(expiresAtMs), id };
  const { found, nowMs } = await options.db.snapshot(async (tx) => {
    const clockMs = await readClock(tx);
    const page = { spans: spansOf(state, clockMs), after, limit: size.value + 1, currency };
    return { nowMs: clockMs, found: await readHolds(tx, walletId, page) };
  });
  // The only wallet of an API key may be in another currency.
  const asked = found.filter(({ wallet }) => !currency || wallet.currency === currency);
  const { page, last } = takePage(asked, size.value, bytesOf);
  return succeed({
    holds: page.map(({ hold, wallet }) => toWireHold(hold, wallet, nowMs)),
    nextPageToken: last
      ? encodePageToken(query, { expiresAtMs: String(last.hold.expiresAtMs), id: last.hold.id })
      : '',
    asOf: new Date(nowMs),
  });
}

const states: readonly HoldState[] = ['open', 'captured', 'released', 'expired'];

/** The rows of a state: of the open ones, those whose time is over are expired. */
function spansOf(state: HoldState | undefined, nowMs: number): readonly HoldSpan[] {
  const all = (one: HoldState): HoldSpan => ({ state: one, fromMs: undefined, untilMs: undefined });
  if (state === undefined) return states.map(all);
  if (state === 'open') return [{ state, fromMs: nowMs, untilMs: undefined }];
  if (state !== 'expired') return [all(state)];
  return [all(state), { state: 'open', fromMs: undefined, untilMs: nowMs }];
}

/** Whose holds: of one wallet, or of all that there are (in a currency). */
type Scope = { readonly walletId: string | undefined; readonly currency: string | undefined };

/** What is listed: for staff who name no user all wallets, or the only one of an API key. */
async function findScope(
  options: ReadOptions,
  request: ListHoldsRequest,
  principal: Principal,
): Promise<Result<Scope>> {
  const isStaff = principal.kind === 'user' && principal.role !== 'customer';
  if (isStaff && request.userId === '') {
    const { currency } = request;
    if (currency !== '' && findExponent(currency) === undefined) return unknownCurrency;
    return succeed({ walletId: principal.apiKey?.walletId, currency: currency || undefined });
  }
  const ref = readRef(options, request, principal);
  if (!ref.ok) return ref;
  const exists = await options.users.check(ref.value.userId);
  return exists.ok ? succeed({ walletId: ref.value.id, currency: undefined }) : exists;
}

/** Ids, numbers and times, and who a capture pays. */
const bytesOf = ({ hold }: OwnedHold): number => 400 + textBytes(hold.contraAccount);
