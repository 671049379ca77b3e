import { userOfAccount } from '../../core/contra-account.ts';
import { transactionIdOf } from '../../core/ids.ts';
import { absoluteMinor, formatMinor } from '../../core/money.ts';
import { isStorableTime } from '../../core/time/calendar.ts';
import { contraAccountOf, usedAfter, usedKey, type Movement } from './domain-movement.ts';
import { reject } from './domain-refusals.ts';
import type {
  Command,
  Decision,
  Entry,
  Hold,
  HoldState,
  States,
  WalletRef,
  WalletState,
} from './domain-types.ts';

/** A wallet has at most so many open holds. */
export const maxOpenHolds = 1_024;

const dayMs = 86_400_000;

/** Under which the metadata of a hold's entry say when it ends: RFC 3339, milliseconds, UTC. */
const expiryKey = 'dw.expiresAt';

/** What a command reserves at `atMs`, its own time. HOLD_LIMIT_EXCEEDED, INVALID_ARGUMENT. */
export function placeHold(
  states: States,
  command: Command,
  wallet: WalletState,
  atMs: number,
): Movement | Decision {
  if ((states.openHolds.get(wallet.id) ?? 0) >= maxOpenHolds) {
    const limit = String(maxOpenHolds);
    const message = `the wallet has ${limit} open holds, which is the limit: capture or release some`;
    return reject('HOLD_LIMIT_EXCEEDED', message, { field: 'operation', limit });
  }
  const endMs = findEnd(command, atMs);
  if (typeof endMs !== 'number') return endMs;
  return {
    amountMinor: 0n,
    heldMinor: command.amountMinor ?? 0n,
    contraAccount: contraAccountOf(command),
    other: undefined,
    parent: undefined,
    metadata: { ...command.metadata, [expiryKey]: new Date(endMs).toISOString() },
  };
}

/**
 * When a hold that is placed at `atMs` ends. The setting of how long one may last can change: only
 * a new hold is measured by it. INVALID_ARGUMENT.
 */
function findEnd({ more }: Command, atMs: number): number | Decision {
  const { expiresAtMs, expiresInMs = NaN, longestMs = Infinity } = more ?? {};
  const days = longestMs / dayMs;
  const atMost = `a hold lasts ${days} ${days === 1 ? 'day' : 'days'} at most`;
  if (expiresAtMs === undefined && expiresInMs > longestMs) {
    const most = String(longestMs / 1_000);
    const message = `expires_in_seconds must be at most ${most}: ${atMost}`;
    return reject('INVALID_ARGUMENT', message, { field: 'expires_in_seconds', most });
  }
  const endMs = expiresAtMs ?? atMs + expiresInMs;
  if (!(endMs > atMs) || !isStorableTime(endMs)) {
    const at = new Date(atMs).toISOString();
    const message = `expires_at must be later than the hold itself, which is placed at ${at}`;
    return reject('INVALID_ARGUMENT', message, { field: 'expires_at', placedAt: at });
  }
  if (endMs - atMs > longestMs) {
    const latest = new Date(atMs + longestMs).toISOString();
    const message = `expires_at must be ${latest} at the latest: ${atMost}`;
    return reject('INVALID_ARGUMENT', message, { field: 'expires_at', latest });
  }
  return endMs;
}

/**
 * What a capture or release at `atMs` uses of its hold: a part of what is left, or all of it. A
 * capture releases the rest unless it keeps it. HOLD_NOT_FOUND, HOLD_CLOSED, HOLD_EXPIRED,
 * CAPTURE_EXCEEDS_HOLD.
 */
export function useHold(
  states: States,
  command: Command,
  wallet: WalletState,
  atMs: number,
): Movement | Decision {
  const placed = findPlaced(states, command, wallet);
  if (!placed) {
    const holdId = command.parentId ?? '';
    const of = { field: 'parent_id', holdId };
    return reject('HOLD_NOT_FOUND', `this wallet has no hold ${holdId}`, of);
  }
  const wholeMinor = absoluteMinor(placed.more?.heldMinor ?? 0n);
  const usedMinor = states.used.get(usedKey(wallet.id, placed.id)) ?? 0n;
  const leftMinor = wholeMinor - usedMinor;
  const amountMinor = command.amountMinor ?? leftMinor;
  const refusal =
    checkOpen(states, placed, leftMinor, atMs) ??
    checkLeft(command, placed, { wholeMinor, leftMinor, amountMinor });
  if (refusal) return refusal;
  const isCapture = command.operation === 'capture';
  const isRestReleased = isCapture && command.more?.keepsRest !== true;
  return {
    amountMinor: isCapture ? -amountMinor : 0n,
    heldMinor: isRestReleased ? -leftMinor : -amountMinor,
    contraAccount: placed.contraAccount,
    other: isCapture ? command.more?.other : undefined,
    parent: { usedMinor, amountMinor: wholeMinor },
    metadata: undefined,
  };
}

/**
 * The entry that placed the hold. Who a capture pays was looked up before the locks: a hold that
 * appeared since is not there yet. `walletd` itself uses only holds whose time is over, before any
 * command is decided.
 */
function findPlaced(
  { entries }: States,
  { operation, parentId = '', callerClass, more }: Command,
  { id }: WalletState,
): Entry | undefined {
  const placed = entries.get(parentId)?.find((entry) => entry.wallet.id === id);
  if (placed?.operation !== 'hold' || callerClass === 'system') return undefined;
  if (operation === 'release') return placed;
  return userOfAccount(placed.contraAccount) === more?.other?.userId ? placed : undefined;
}

function checkOpen(
  { holds }: States,
  placed: Entry,
  leftMinor: bigint,
  atMs: number,
): Decision | undefined {
  const { id, metadata } = placed;
  const of = { field: 'parent_id', holdId: id };
  const isExpired =
    leftMinor > 0n ? atMs >= readExpiry(placed) : holds.get(id)?.state === 'expired';
  if (isExpired) {
    const expiresAt = metadata[expiryKey] ?? '';
    const message = `hold ${id} expired at ${expiresAt}: place another one`;
    return reject('HOLD_EXPIRED', message, { ...of, expiresAt });
  }
  if (leftMinor > 0n) return undefined;
  return reject('HOLD_CLOSED', `nothing is left of hold ${id}: it was captured or released`, of);
}

function checkLeft(
  { operation }: Command,
  { id, wallet: { currency, exponent } }: Entry,
  of: { readonly wholeMinor: bigint; readonly leftMinor: bigint; readonly amountMinor: bigint },
): Decision | undefined {
  if (of.amountMinor <= of.leftMinor) return undefined;
  const left = formatMinor(of.leftMinor, exponent);
  const amount = formatMinor(of.wholeMinor, exponent);
  return reject(
    'CAPTURE_EXCEEDS_HOLD',
    `${left} of ${amount} ${currency} are left to ${operation}: give that amount at most, or none ` +
      'for all of it',
    { field: 'amount', holdId: id, left, amount, currency },
  );
}

/** When a hold ends; NaN if its entry does not say. */
export const readExpiry = ({ metadata }: Pick<Entry, 'metadata'>): number =>
  Date.parse(metadata[expiryKey] ?? '');

/** The hold that an entry places. */
export const holdOf = (placed: Entry): Hold => ({
  id: placed.id,
  walletId: placed.wallet.id,
  seq: placed.seq,
  amountMinor: placed.more?.heldMinor ?? 0n,
  usedMinor: 0n,
  capturedMinor: 0n,
  state: 'open',
  contraAccount: placed.contraAccount,
  placedAtMs: placed.occurredAtMs,
  expiresAtMs: readExpiry(placed),
  closedAtMs: undefined,
});

/** A hold after a capture or release of it. */
export function holdAfter(hold: Hold, use: Entry): Hold {
  const usedMinor = usedAfter(use);
  const capturedMinor = hold.capturedMinor + absoluteMinor(use.amountMinor);
  const isOpen = usedMinor < hold.amountMinor;
  return {
    ...hold,
    usedMinor,
    capturedMinor,
    state: isOpen ? 'open' : closedState(use, capturedMinor),
    closedAtMs: isOpen ? undefined : use.occurredAtMs,
  };
}

function closedState({ source }: Entry, capturedMinor: bigint): HoldState {
  if (source === 'system') return 'expired';
  return capturedMinor > 0n ? 'captured' : 'released';
}

/**
 * What releases the rest of a hold whose time is over. Its id follows from the hold: whichever
 * process enters it, it is there once.
 */
export function toExpiryCommand(
  { id, userId, currency, exponent }: WalletRef,
  holdId: string,
): Command {
  const key = `expire:${holdId}`;
  return {
    transactionId: transactionIdOf(id, 'system', key),
    key,
    wallet: { id, userId, currency, exponent },
    operation: 'release',
    amountMinor: undefined,
    parentId: holdId,
    merchant: undefined,
    description: undefined,
    metadata: {},
    callerClass: 'system',
    actor: 'walletd',
    more: undefined,
  };
}
