/**
 * What the ledger must make of a wallet's requests, written from docs/events.md and not from the
 * product's code, so that the checks do not repeat its mistakes.
 */
import { createHash } from 'node:crypto';

export type OperationName = 'deposit' | 'withdraw' | 'purchase' | 'reversal' | 'cancellation';

/** The code of each operation in the tables. */
export const operationCodes: Readonly<Record<OperationName, number>> = {
  deposit: 1,
  withdraw: 2,
  purchase: 3,
  reversal: 4,
  cancellation: 5,
};

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
};

export type State = {
  seq: number;
  balanceMinor: bigint;
  readonly done: Map<string, Done>;
  /** Parents that were undone. */
  readonly undone: Set<string>;
  /** Ids of messages that were refused: that answer is final. */
  readonly refused: Set<string>;
};

export const createState = (): State => ({
  ...{ seq: 0, balanceMinor: 0n },
  ...{ done: new Map(), undone: new Set(), refused: new Set() },
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

/** What a decision depends on. */
export type Wanted = Pick<Request, 'id' | 'operation' | 'amountMinor' | 'parentId' | 'merchant'>;

export function decideRequest(state: State, request: Wanted): Verdict {
  const { id, operation, amountMinor, parentId } = request;
  const twin = state.done.get(id);
  if (twin) {
    const isSame =
      twin.operation === operation &&
      twin.parentId === parentId &&
      (amountMinor === undefined || amountMinor === sizeOf(twin.amountMinor)) &&
      (isUndo(operation) || twin.contraAccount === contraAccountOf(request));
    return isSame ? { kind: 'repeated' } : reject('IDEMPOTENCY_KEY_REUSED');
  }
  if (state.refused.has(id)) return { kind: 'repeated' };
  if (isUndo(operation)) return decideUndo(state, request);
  const size = amountMinor ?? 0n;
  const signed = operation === 'deposit' ? size : -size;
  return checkFunds(state, request, signed, contraAccountOf(request));
}

function decideUndo(state: State, request: Wanted): Verdict {
  const { operation, amountMinor, parentId = '' } = request;
  const parent = state.done.get(parentId);
  if (!parent) return reject('PARENT_NOT_FOUND');
  const isAllowed =
    operation === 'cancellation' ? parent.operation === 'purchase' : !isUndo(parent.operation);
  if (!isAllowed) return reject('PARENT_NOT_UNDOABLE');
  if (state.undone.has(parentId)) return reject('PARENT_ALREADY_UNDONE');
  const isWhole = amountMinor === undefined || amountMinor === sizeOf(parent.amountMinor);
  if (!isWhole) return reject('AMOUNT_MISMATCH');
  return checkFunds(state, request, -parent.amountMinor, parent.contraAccount);
}

function checkFunds(
  state: State,
  { id, operation, parentId }: Wanted,
  amountMinor: bigint,
  contraAccount: string,
): Verdict {
  const balanceMinor = state.balanceMinor + amountMinor;
  if (balanceMinor < 0n) return reject('INSUFFICIENT_FUNDS');
  if (balanceMinor >= balanceLimitMinor) return reject('BALANCE_LIMIT_EXCEEDED');
  return { kind: 'accepted', done: { id, operation, amountMinor, contraAccount, parentId } };
}

export function applyDone(state: State, done: Done): void {
  state.seq += 1;
  state.balanceMinor += done.amountMinor;
  state.done.set(done.id, done);
  if (done.parentId !== undefined) state.undone.add(done.parentId);
}

/** Takes back the last `applyDone`, which was with this. */
export function revertDone(state: State, done: Done): void {
  state.seq -= 1;
  state.balanceMinor -= done.amountMinor;
  state.done.delete(done.id);
  if (done.parentId !== undefined) state.undone.delete(done.parentId);
}

export const sizeOf = (minor: bigint): bigint => (minor < 0n ? -minor : minor);

export const contraAccountOf = ({
  operation,
  merchant,
}: Pick<Request, 'operation' | 'merchant'>): string => {
  if (operation !== 'purchase') return 'external:cash';
  return merchant === undefined ? 'merchant' : `merchant:${merchant}`;
};
