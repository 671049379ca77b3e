/**
 * What the ledger must make of a wallet's requests, written from docs/events.md and not from the
 * product's code, so that the checks do not repeat its mistakes.
 */
import { createHash } from 'node:crypto';

export type OperationName = keyof typeof codes;

const codes = {
  ...{ deposit: 1, withdraw: 2, purchase: 3, reversal: 4, cancellation: 5, transfer: 6 },
  ...{ hold: 7, capture: 8, release: 9, fee: 11 },
};

/** The code of each operation in the tables. */
export const operationCodes: Readonly<Record<OperationName, number>> = codes;

export type Wallet = {
  readonly id: string;
  readonly userId: string;
  readonly currency: string;
  /** Decimals of the currency. */
  readonly exponent: number;
};

/** A transaction that a message or a call asks for. */
export type Request = {
  /** The idempotency key. */
  readonly key: string;
  /** The id that its transaction must have. */
  readonly id: string;
  readonly wallet: Wallet;
  readonly operation: OperationName;
  /** Absent for an undo. */
  readonly amountMinor: bigint | undefined;
  readonly parentId: string | undefined;
  readonly merchant: string | undefined;
  /** The payee of a transfer, of a hold, and of a capture of it. */
  readonly payeeId?: string | undefined;
  /** Of a deposit, withdrawal or hold: the account outside, if it is not `cash`. */
  readonly via?: string | undefined;
  /** Of a capture: what is left of the hold stays reserved. */
  readonly keepsRest?: boolean | undefined;
  readonly description: string | undefined;
  readonly source: 'message' | 'grpc';
  readonly actor: string;
};

const walletNamespace = '0fce9ee4-c2ea-5886-b403-99d8567e324d';

/** UUIDv5 (RFC 9562). */
export function uuidOf(namespace: string, name: string): string {
  const hash = createHash('sha1').update(Buffer.from(namespace.replaceAll('-', ''), 'hex'));
  const bytes = hash.update(name).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

export const walletOf = (userId: string, currency: string, exponent: number): Wallet => ({
  id: uuidOf(walletNamespace, `${userId}:${currency}`),
  ...{ userId, currency, exponent },
});

/** An amount above or equal to 0 as a decimal text. */
export function formatAmount(minor: bigint, exponent: number): string {
  const digits = String(minor).padStart(exponent + 1, '0');
  if (exponent === 0) return digits;
  return `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/** One accepted transaction, as far as later decisions depend on it. */
export type Done = {
  readonly id: string;
  readonly operation: OperationName;
  /** Above 0: to the wallet. */
  readonly amountMinor: bigint;
  readonly contraAccount: string;
  readonly parentId: string | undefined;
  /** What of its parent was used up before it, and whether nothing is left after it. */
  readonly usedMinor: bigint;
  readonly isRest: boolean;
  /** Above 0: it reserves; below 0: it releases. */
  readonly heldMinor: bigint;
};

export type State = {
  seq: number;
  balanceMinor: bigint;
  /** Reserved. */
  heldMinor: bigint;
  /** How far below 0 the balance may go. */
  overdraftMinor: bigint;
  /** When holds expire, where that is known. */
  readonly expiries: Map<string, number>;
  readonly done: Map<string, Done>;
  /** What of parents was undone. */
  readonly used: Map<string, bigint>;
  /** Holds that `walletd` has released, because their time was over. */
  readonly expired: Set<string>;
  /** Ids of messages that were refused: that answer is final. */
  readonly refused: Set<string>;
};

export const createState = (): State => ({
  ...{ seq: 0, balanceMinor: 0n, heldMinor: 0n, overdraftMinor: 0n, expiries: new Map() },
  ...{ done: new Map(), used: new Map(), refused: new Set(), expired: new Set() },
});

export type Verdict =
  | { readonly kind: 'accepted'; readonly done: Done }
  | { readonly kind: 'rejected'; readonly reason: string }
  /** An answer was given before: no effect. */
  | { readonly kind: 'repeated' };

/** A balance stays below it. */
const balanceLimitMinor = 10n ** 18n;

export const isUndo = (operation: OperationName): boolean =>
  operation === 'reversal' || operation === 'cancellation';

const reject = (reason: string): Verdict => ({ kind: 'rejected', reason });

/** A capture and a release use up a hold. */
const ofHold = (operation: OperationName): boolean =>
  operation === 'capture' || operation === 'release';

/** What refers to another transaction. */
export const hasParent = (operation: OperationName): boolean =>
  isUndo(operation) || ofHold(operation);

/** What a decision depends on. */
export type Wanted = Pick<
  Request,
  'id' | 'operation' | 'amountMinor' | 'parentId' | 'merchant' | 'payeeId' | 'via' | 'keepsRest'
>;

/** A part of a parent; what has no parent is no part. */
type Part = Pick<Done, 'usedMinor' | 'isRest' | 'heldMinor'>;
const noPart: Part = { usedMinor: 0n, isRest: false, heldMinor: 0n };

/** What a transaction is of: what it moves, or else what it reserves or releases. */
export const amountOf = ({ amountMinor, heldMinor }: Pick<Done, 'amountMinor' | 'heldMinor'>) =>
  sizeOf(amountMinor === 0n ? heldMinor : amountMinor);

/** What can be taken or reserved. */
export const availableOf = ({ balanceMinor, overdraftMinor, heldMinor }: State): bigint =>
  balanceMinor + overdraftMinor - heldMinor;

/** What it uses up of its parent. */
const usedBy = ({ amountMinor, heldMinor }: Done): bigint =>
  sizeOf(amountMinor) > sizeOf(heldMinor) ? sizeOf(amountMinor) : sizeOf(heldMinor);

const leftOf = ({ done, used }: State, id: string): bigint =>
  (done.get(id)?.heldMinor ?? 0n) - (used.get(id) ?? 0n);

/** Holds whose time is over must have been released: `releaseDue`. */
export function decideRequest(state: State, request: Wanted): Verdict {
  const { id, operation, amountMinor, parentId } = request;
  const twin = state.done.get(id);
  if (twin) {
    const isSame =
      twin.operation === operation &&
      twin.parentId === parentId &&
      (amountMinor === undefined ? twin.isRest : amountMinor === amountOf(twin)) &&
      (hasParent(operation) || twin.contraAccount === contraAccountOf(request));
    return isSame ? { kind: 'repeated' } : reject('IDEMPOTENCY_KEY_REUSED');
  }
  if (state.refused.has(id)) return { kind: 'repeated' };
  if (isUndo(operation)) return decideUndo(state, request);
  if (ofHold(operation)) return decideUse(state, request);
  const size = amountMinor ?? 0n;
  const contraAccount = contraAccountOf(request);
  const isCredit = operation === 'deposit';
  if (!isCredit && size > availableOf(state)) return reject('INSUFFICIENT_FUNDS');
  if (operation === 'hold') {
    return checkFunds(state, request, 0n, contraAccount, { ...noPart, heldMinor: size });
  }
  return checkFunds(state, request, isCredit ? size : -size, contraAccount, noPart);
}

/** A capture or a release. */
function decideUse(state: State, request: Wanted): Verdict {
  const { operation, amountMinor, parentId = '', keepsRest = false } = request;
  const hold = state.done.get(parentId);
  if (hold?.operation !== 'hold') return reject('HOLD_NOT_FOUND');
  const usedMinor = state.used.get(parentId) ?? 0n;
  const leftMinor = hold.heldMinor - usedMinor;
  if (leftMinor <= 0n) return reject(state.expired.has(parentId) ? 'HOLD_EXPIRED' : 'HOLD_CLOSED');
  const size = amountMinor ?? leftMinor;
  if (size > leftMinor) return reject('CAPTURE_EXCEEDS_HOLD');
  const { contraAccount } = hold;
  const isCapture = operation === 'capture';
  const takenMinor = isCapture && !keepsRest ? leftMinor : size;
  const part = { usedMinor, isRest: takenMinor === leftMinor, heldMinor: -takenMinor };
  return checkFunds(state, request, isCapture ? -size : 0n, contraAccount, part);
}

/** Enters the releases of the holds that have expired by then, as `walletd` does. */
export function releaseDue(state: State, walletId: string, nowMs: number): void {
  for (const [parentId, expiresAtMs] of state.expiries) {
    const hold = state.done.get(parentId);
    const leftMinor = leftOf(state, parentId);
    if (!hold || leftMinor <= 0n || expiresAtMs > nowMs) continue;
    state.expired.add(parentId);
    applyDone(state, {
      ...{ id: uuidOf(walletId, `system:expire:${parentId}`), operation: 'release', parentId },
      ...{ amountMinor: 0n, contraAccount: hold.contraAccount, heldMinor: -leftMinor },
      ...{ usedMinor: state.used.get(parentId) ?? 0n, isRest: true },
    });
  }
}

function decideUndo(state: State, request: Wanted): Verdict {
  const { operation, amountMinor, parentId = '' } = request;
  const parent = state.done.get(parentId);
  if (!parent) return reject('PARENT_NOT_FOUND');
  const isAllowed =
    operation === 'cancellation'
      ? parent.operation === 'purchase' || parent.operation === 'capture'
      : !isUndo(parent.operation) && parent.operation !== 'hold' && parent.operation !== 'release';
  if (!isAllowed) return reject('PARENT_NOT_UNDOABLE');
  const wholeMinor = sizeOf(parent.amountMinor);
  const usedMinor = state.used.get(parentId) ?? 0n;
  const leftMinor = wholeMinor - usedMinor;
  if (leftMinor <= 0n) return reject('PARENT_ALREADY_UNDONE');
  const size = amountMinor ?? leftMinor;
  if (size > leftMinor) return reject('UNDO_EXCEEDS_PARENT');
  const signed = parent.amountMinor > 0n ? -size : size;
  const part = { usedMinor, isRest: size === leftMinor, heldMinor: 0n };
  return checkFunds(state, request, signed, parent.contraAccount, part);
}

/** Whether the other side of a movement between two wallets has room on this one. */
export function decideSide(state: State, side: Done): Verdict {
  const balanceMinor = state.balanceMinor + side.amountMinor;
  // What is reserved covers a capture; everything else leaves it.
  const reservedMinor = side.operation === 'capture' ? 0n : state.heldMinor;
  const lowestMinor = reservedMinor - state.overdraftMinor;
  if (side.amountMinor < 0n && balanceMinor < lowestMinor) return reject('INSUFFICIENT_FUNDS');
  if (balanceMinor >= balanceLimitMinor) return reject('BALANCE_LIMIT_EXCEEDED');
  return { kind: 'accepted', done: side };
}

function checkFunds(
  state: State,
  { id, operation, parentId }: Wanted,
  amountMinor: bigint,
  contraAccount: string,
  part: Part,
): Verdict {
  return decideSide(state, { id, operation, amountMinor, contraAccount, parentId, ...part });
}

export const applyDone = (state: State, done: Done): void => enter(state, done, 1n);

/** Takes back the last `applyDone`, which was with this. */
export const revertDone = (state: State, done: Done): void => enter(state, done, -1n);

function enter(state: State, done: Done, sign: 1n | -1n): void {
  const { id, parentId, amountMinor, heldMinor } = done;
  state.seq += Number(sign);
  state.balanceMinor += sign * amountMinor;
  state.heldMinor += sign * heldMinor;
  if (sign > 0n) state.done.set(id, done);
  else state.done.delete(id);
  if (parentId === undefined) return;
  state.used.set(parentId, (state.used.get(parentId) ?? 0n) + sign * usedBy(done));
}

export const sizeOf = (minor: bigint): bigint => (minor < 0n ? -minor : minor);

export const contraAccountOf = ({
  operation,
  merchant,
  payeeId,
  via,
}: Pick<Request, 'operation' | 'merchant' | 'payeeId' | 'via'>): string => {
  if (operation === 'fee') return 'external:fees';
  if (payeeId !== undefined) return accountOf(payeeId);
  const isToMerchant = operation === 'purchase' || (operation === 'hold' && via === undefined);
  if (!isToMerchant) return `external:${via ?? 'cash'}`;
  return merchant === undefined ? 'merchant' : `merchant:${merchant}`;
};

/** The contra account of a movement to or from another user's wallet. */
export const accountOf = (userId: string): string => `user:${userId}`;
