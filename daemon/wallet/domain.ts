import { isWithdrawn } from '../../core/currencies.ts';
import { chainHash, genesisHash } from '../../core/chain.ts';
import type { CallerClass } from '../../core/ids.ts';
import { absoluteMinor, amountLimitMinor, formatMinor } from '../../core/money.ts';
import { canUndo, isUndo, type Operation } from '../../core/operations.ts';
import { refuse, type Reason, type Rejection } from '../../core/reasons.ts';

/** Which wallet is meant: its id follows from the other two. */
export type WalletRef = {
  readonly id: string;
  readonly userId: string;
  readonly currency: string;
  readonly exponent: number;
};

/** What is asked for, checked as far as that needs no state. Times and ids are passed in. */
export type Command = {
  readonly transactionId: string;
  /** What the caller named it by; the id follows from it. */
  readonly key: string;
  readonly wallet: WalletRef;
  readonly operation: Operation;
  /** Always there but for an undo, which may leave it to its parent. */
  readonly amountMinor: bigint | undefined;
  readonly parentId: string | undefined;
  readonly merchant: string | undefined;
  readonly description: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly callerClass: CallerClass;
  readonly actor: string;
  /** Nothing new may be done now, and why: what was done before is answered all the same. */
  readonly refusedIfNew?: Rejection;
};

export type Source = 'grpc' | 'message';

/** One side of a movement of money, as the ledger keeps it: a row of `transactions`. */
export type Entry = {
  readonly id: string;
  readonly wallet: WalletRef;
  readonly seq: bigint;
  readonly operation: Operation;
  /** Above 0 credits the wallet, below 0 debits it; the contra account gets the opposite. */
  readonly amountMinor: bigint;
  readonly balanceAfterMinor: bigint;
  readonly contraAccount: string;
  readonly parentId: string | undefined;
  readonly source: Source;
  readonly actor: string;
  readonly description: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly occurredAtMs: number;
  readonly hash: string;
};
/** An entry as it was decided, with the hash that its own hash follows. */
export type NewEntry = Entry & { readonly previousHash: string };

export type WalletState = WalletRef & {
  readonly status: 'active' | 'frozen';
  readonly balanceMinor: bigint;
  readonly seq: bigint;
  readonly lastAtMs: number;
  /** Balances and statements before this time were reported: no entry may be put before it. */
  readonly readWatermarkMs: number;
  /** Up to this time an operator lets the wallet be ahead of the clock; 0 if none did. */
  readonly aheadAcceptedMs: number;
  readonly lastHash: string;
};

/** What was read under the lock, as far as the commands concern it. */
export type States = {
  /** Wallets that have a row, by id. */
  readonly wallets: ReadonlyMap<string, WalletState>;
  /** Entries by transaction id: twins of the commands, and the parents asked for. */
  readonly entries: ReadonlyMap<string, readonly Entry[]>;
  /** Ids of parents that have been undone. */
  readonly undone: ReadonlySet<string>;
  /** What messages were refused with, by the id that their transaction would have had. */
  readonly refused: ReadonlyMap<string, Rejection>;
  /** Ids of wallets that do not agree with their last entry (domain-integrity.ts). */
  readonly corrupt: ReadonlySet<string>;
};

export type Decision =
  | { readonly kind: 'accepted'; readonly entries: readonly NewEntry[] }
  | { readonly kind: 'replayed'; readonly entries: readonly Entry[] }
  /** `isRepeated`: this message was given the same answer before. */
  | { readonly kind: 'rejected'; readonly rejection: Rejection; readonly isRepeated: boolean };

/** A wallet whose last transaction lies further ahead of the clock than this is refused. */
export const clockToleranceMs = 5 * 60_000;

export const corruptText =
  'the wallet does not agree with its last transaction: ask an operator to look into it';

/** The earliest time that the next entry of a wallet may have, whatever the clock says. */
export const earliestTimeMs = (wallet: WalletState): number =>
  Math.max(wallet.lastAtMs, wallet.readWatermarkMs);

/**
 * True for a wallet that was used or read while the clock was ahead, by more than is passed over,
 * and for which no operator has accepted that. Accepted time stands in for the clock.
 */
export const isAheadUnaccepted = (wallet: WalletState, nowMs: number): boolean =>
  isAhead(wallet, Math.max(nowMs, wallet.aheadAcceptedMs));

/** The same, whether accepted or not. */
export const isAhead = (wallet: WalletState, nowMs: number): boolean =>
  earliestTimeMs(wallet) > nowMs + clockToleranceMs;

/**
 * The read watermark that a read at `nowMs` sets: no entry gets an earlier time afterwards, even if
 * the clock steps back. It lies behind the last entry, unless the wallet is far ahead of the clock:
 * then its last entries are visible once the clock has reached them.
 */
export function nextReadWatermarkMs(wallet: WalletState, nowMs: number): number {
  const endMs = Math.max(nowMs, wallet.readWatermarkMs);
  return isAhead(wallet, nowMs) ? endMs : Math.max(endMs, wallet.lastAtMs + 1);
}

/** The wallets that a command concerns: today its own. */
export const walletsOf = (command: Command): readonly WalletRef[] => [command.wallet];

/** True for what opens a wallet that does not exist yet. */
export const opensWallet = ({ operation, wallet, refusedIfNew }: Command): boolean =>
  operation === 'deposit' && !refusedIfNew && !isWithdrawn(wallet.currency);

/** False for a row that only has the read watermark of a wallet without any transaction. */
export const isOpened = ({ seq }: Pick<WalletState, 'seq'>): boolean => seq > 0n;

/** A wallet that nothing has happened to. */
export function newWallet(ref: WalletRef): WalletState {
  return {
    ...ref,
    status: 'active',
    balanceMinor: 0n,
    seq: 0n,
    lastAtMs: 0,
    readWatermarkMs: 0,
    aheadAcceptedMs: 0,
    lastHash: genesisHash(ref.id, ref.userId, ref.currency),
  };
}

/** Decides one command on the states given; changes nothing. */
export function decide(states: States, command: Command, nowMs: number): Decision {
  const twin = states.entries.get(command.transactionId);
  if (twin) return replay(twin, command);
  const refused = states.refused.get(command.transactionId);
  if (refused) return { kind: 'rejected', rejection: refused, isRepeated: true };
  const { refusedIfNew } = command;
  if (refusedIfNew) return { kind: 'rejected', rejection: refusedIfNew, isRepeated: false };
  const known = states.wallets.get(command.wallet.id);
  if (!(known && isOpened(known)) && isWithdrawn(command.wallet.currency)) {
    const message = 'the currency was withdrawn from ISO 4217: no wallet can be opened in it';
    return reject('CURRENCY_UNKNOWN', message, { field: 'currency' });
  }
  const wallet = known ?? newWallet(command.wallet);
  if (states.corrupt.has(wallet.id)) {
    return reject('WALLET_CORRUPT', corruptText, { walletId: wallet.id });
  }
  if (isAheadUnaccepted(wallet, nowMs)) {
    return reject(
      'WALLET_CLOCK_AHEAD',
      'the wallet was used or read at a time in the future: have an operator check the clock of the ' +
        'database, then accept the time (`walletd wallets accept-clock-ahead`) or wait for it',
      { walletId: wallet.id },
    );
  }
  const staffUndo = command.callerClass === 'staff' && isUndo(command.operation);
  if (wallet.status === 'frozen' && !staffUndo) {
    return reject('WALLET_FROZEN', 'the wallet is frozen: ask the staff to look into it', {
      walletId: wallet.id,
    });
  }
  const movement = findMovement(states, command, wallet);
  if ('kind' in movement) return movement;
  const refusal = checkBalance(wallet, movement.amountMinor);
  return refusal ?? { kind: 'accepted', entries: [enter(wallet, command, movement, nowMs)] };
}

type Movement = { readonly amountMinor: bigint; readonly contraAccount: string };

function contraAccountOf(command: Command): string {
  if (command.operation !== 'purchase') return 'external:cash';
  return command.merchant === undefined ? 'merchant' : `merchant:${command.merchant}`;
}

function findMovement(states: States, command: Command, wallet: WalletState): Movement | Decision {
  if (!isUndo(command.operation)) {
    const sign = command.operation === 'deposit' ? 1n : -1n;
    const contraAccount = contraAccountOf(command);
    return { amountMinor: sign * (command.amountMinor ?? 0n), contraAccount };
  }
  const parentId = command.parentId ?? '';
  const parent = states.entries.get(parentId)?.find((entry) => entry.wallet.id === wallet.id);
  const of = { field: 'parent_id', parentId };
  if (!parent) {
    return reject('PARENT_NOT_FOUND', `this wallet has no transaction ${parentId}`, of);
  }
  if (!canUndo(command.operation, parent.operation)) {
    return reject(
      'PARENT_NOT_UNDOABLE',
      `a ${command.operation} cannot undo a ${parent.operation}`,
      { ...of, operation: command.operation, parent: parent.operation },
    );
  }
  if (states.undone.has(parentId)) {
    return reject('PARENT_ALREADY_UNDONE', `transaction ${parentId} has been undone already`, of);
  }
  const parentAmountMinor = absoluteMinor(parent.amountMinor);
  if (command.amountMinor !== undefined && command.amountMinor !== parentAmountMinor) {
    const amount = formatMinor(parentAmountMinor, wallet.exponent);
    return reject(
      'AMOUNT_MISMATCH',
      `an undo is always whole: leave the amount out, or give ${amount} ${wallet.currency}`,
      { field: 'amount', amount, currency: wallet.currency },
    );
  }
  return { amountMinor: -parent.amountMinor, contraAccount: parent.contraAccount };
}

function checkBalance(wallet: WalletState, amountMinor: bigint): Decision | undefined {
  const balanceAfterMinor = wallet.balanceMinor + amountMinor;
  if (balanceAfterMinor >= 0n && balanceAfterMinor < amountLimitMinor) return undefined;
  const { currency, exponent } = wallet;
  const amount = formatMinor(absoluteMinor(amountMinor), exponent);
  const balance = formatMinor(wallet.balanceMinor, exponent);
  if (balanceAfterMinor < 0n) {
    return reject(
      'INSUFFICIENT_FUNDS',
      `the balance is ${balance} ${currency}, less than the ${amount} ${currency} to be taken`,
      { balance, amount, currency },
    );
  }
  return reject(
    'BALANCE_LIMIT_EXCEEDED',
    `${amount} ${currency} more would bring the balance of ${balance} ${currency} past its limit`,
    { balance, amount, currency },
  );
}

function enter(wallet: WalletState, command: Command, movement: Movement, nowMs: number): NewEntry {
  const { id, userId, currency, exponent } = wallet;
  const entry: { -readonly [Field in keyof NewEntry]: NewEntry[Field] } = {
    id: command.transactionId,
    wallet: { id, userId, currency, exponent },
    seq: wallet.seq + 1n,
    operation: command.operation,
    amountMinor: movement.amountMinor,
    balanceAfterMinor: wallet.balanceMinor + movement.amountMinor,
    contraAccount: movement.contraAccount,
    parentId: command.parentId,
    source: command.callerClass === 'message' ? 'message' : 'grpc',
    actor: command.actor,
    description: command.description,
    metadata: command.metadata,
    occurredAtMs: Math.max(nowMs, earliestTimeMs(wallet)),
    previousHash: wallet.lastHash,
    hash: '',
  };
  entry.hash = chainHash(wallet.lastHash, entry);
  return entry;
}

/** A key names one transaction for ever: the same content gets it again, another is refused. */
function replay(twin: readonly Entry[], command: Command): Decision {
  const original = twin.find((entry) => entry.wallet.id === command.wallet.id);
  const { operation, parentId, amountMinor } = command;
  const isSame =
    original?.operation === operation &&
    original.parentId === parentId &&
    (isUndo(operation) || original.contraAccount === contraAccountOf(command)) &&
    (amountMinor === undefined || amountMinor === absoluteMinor(original.amountMinor));
  if (isSame) return { kind: 'replayed', entries: twin };
  return reject(
    'IDEMPOTENCY_KEY_REUSED',
    'this idempotency key was used for another transaction: take a new key for a new transaction',
    { field: 'idempotency_key', transactionId: command.transactionId },
  );
}

const reject = (reason: Reason, message: string, metadata: Rejection['metadata']): Decision => ({
  kind: 'rejected',
  rejection: refuse(reason, message, metadata).rejection,
  isRepeated: false,
});
