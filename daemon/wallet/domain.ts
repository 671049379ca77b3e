import { accountOfUser } from '../../core/contra-account.ts';
import { isWithdrawn } from '../../core/currencies.ts';
import { chainHash, genesisHash } from '../../core/chain.ts';
import { absoluteMinor } from '../../core/money.ts';
import { hasParent, ofHold } from '../../core/operations.ts';
import { checkAmount, checkWallet, maskPayee } from './domain-checks.ts';
import { entryTimeMs } from './domain-clock.ts';
import { placeHold, useHold } from './domain-holds.ts';
import { checkLimits } from './domain-limits.ts';
import { contraAccountOf, findMovement, usedAfter, type Movement } from './domain-movement.ts';
import { reject } from './domain-refusals.ts';
import type {
  Command,
  Decision,
  Entry,
  EntryMore,
  NewEntry,
  RareStates,
  Source,
  States,
  Terms,
  WalletRef,
  WalletState,
} from './domain-types.ts';

export type {
  AtomicGroup,
  Command,
  CommandMore,
  Decision,
  Entry,
  EntryMore,
  Held,
  Hold,
  HoldState,
  NewEntry,
  RareStates,
  Source,
  SpendingLimits,
  States,
  Terms,
  WalletRef,
  WalletState,
  WalletStatus,
} from './domain-types.ts';
export { corruptText } from './domain-checks.ts';
export {
  clockToleranceMs,
  earliestTimeMs,
  isAhead,
  isAheadUnaccepted,
  nextReadWatermarkMs,
} from './domain-clock.ts';
export { usedAfter, usedKey } from './domain-movement.ts';

/**
 * The wallets that a command concerns: its own first. Of a command in a group, those of all the
 * group, for it is done only with the others.
 */
export function walletsOf({ wallet, more }: Command): readonly WalletRef[] {
  if (more?.group) return more.group.wallets;
  return more?.other ? [wallet, more.other] : [wallet];
}

/** The wallets that a command opens if they do not exist yet. */
export function walletsToOpen({ operation, wallet, more, refusedIfNew }: Command): WalletRef[] {
  if (refusedIfNew || isWithdrawn(wallet.currency)) return [];
  if (operation === 'deposit') return [wallet];
  const isPayment = operation === 'transfer' || operation === 'capture';
  return isPayment && more?.other ? [more.other] : [];
}

/** False for a row that only has the read watermark of a wallet without any transaction. */
export const isOpened = ({ seq, terms }: Pick<WalletState, 'seq' | 'terms'>): boolean =>
  seq > 0n || terms.no > 0;

/** The terms of a wallet about which no operator has decided anything. */
export const plainTerms: Terms = Object.freeze({
  no: 0,
  status: 'active',
  overdraftMinor: 0n,
  limits: undefined,
});

/** States without anything that only some commands need. */
export const noRareStates: RareStates = {
  due: new Map(),
  holds: new Map(),
  openHolds: new Map(),
  anchors: new Map(),
  defaultLimits: new Map(),
};

/** A wallet that nothing has happened to. */
export function newWallet(ref: WalletRef): WalletState {
  return {
    ...ref,
    balanceMinor: 0n,
    debitedMinor: 0n,
    seq: 0n,
    lastAtMs: 0,
    readWatermarkMs: 0,
    aheadAcceptedMs: 0,
    lastHash: genesisHash(ref.id, ref.userId, ref.currency),
    held: undefined,
    terms: plainTerms,
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
  if (isWithdrawn(command.wallet.currency) && !areOpened(states, command)) {
    const message = 'the currency was withdrawn from ISO 4217: no wallet can be opened in it';
    return reject('CURRENCY_UNKNOWN', message, { field: 'currency' });
  }
  const wallet = states.wallets.get(command.wallet.id) ?? newWallet(command.wallet);
  const refusal = checkWallet(states, command, wallet, nowMs);
  if (refusal) return refusal;
  const atMs = entryTimeMs(wallet, nowMs);
  const movement = findOwn(states, command, wallet, atMs);
  if ('kind' in movement) return movement;
  const spentMinor = movement.heldMinor - movement.amountMinor;
  return (
    checkAmount(command, wallet, movement) ??
    checkLimits(states, command, wallet, spentMinor, atMs) ??
    enterBoth(states, command, wallet, movement, nowMs)
  );
}

/** What a command moves and reserves on its own wallet, at its time. */
function findOwn(
  states: States,
  command: Command,
  wallet: WalletState,
  atMs: number,
): Movement | Decision {
  const { operation } = command;
  if (operation === 'hold') return placeHold(states, command, wallet, atMs);
  return ofHold(operation)
    ? useHold(states, command, wallet, atMs)
    : findMovement(states, command, wallet);
}

const areOpened = (states: States, command: Command): boolean =>
  walletsOf(command).every(({ id }) => {
    const known = states.wallets.get(id);
    return known !== undefined && isOpened(known);
  });

/** The entry of the command's wallet, which has room for it, and that of the other one. */
function enterBoth(
  states: States,
  command: Command,
  wallet: WalletState,
  movement: Movement,
  nowMs: number,
): Decision {
  const own = enter(wallet, command, movement, nowMs);
  if (!movement.other) return { kind: 'accepted', entries: [own] };
  const other = states.wallets.get(movement.other.id) ?? newWallet(movement.other);
  const side = {
    amountMinor: -movement.amountMinor,
    heldMinor: 0n,
    contraAccount: accountOfUser(wallet.userId),
    // Only the payer's wallet has the hold.
    parent: command.operation === 'capture' ? undefined : movement.parent,
    metadata: undefined,
  };
  const refusal = checkWallet(states, command, other, nowMs) ?? checkAmount(command, other, side);
  const masked = maskPayee(command, refusal);
  return masked ?? { kind: 'accepted', entries: [own, enter(other, command, side, nowMs)] };
}

type Side = Omit<Movement, 'other'>;

/** Each entry has its own wallet's time: a wallet that is ahead does not take others with it. */
export function enter(wallet: WalletState, command: Command, side: Side, nowMs: number): NewEntry {
  const { id, userId, currency, exponent } = wallet;
  const { amountMinor } = side;
  const entry: { -readonly [Field in keyof NewEntry]: NewEntry[Field] } = {
    id: command.transactionId,
    wallet: { id, userId, currency, exponent },
    seq: wallet.seq + 1n,
    operation: command.operation,
    amountMinor,
    balanceAfterMinor: wallet.balanceMinor + amountMinor,
    contraAccount: side.contraAccount,
    parentId: side.parent && command.parentId,
    source: sourceOf(command),
    actor: command.actor,
    description: command.description,
    metadata: side.metadata ?? command.metadata,
    occurredAtMs: entryTimeMs(wallet, nowMs),
    previousHash: wallet.lastHash,
    hash: '',
    debitedAfterMinor: amountMinor < 0n ? wallet.debitedMinor - amountMinor : wallet.debitedMinor,
    more: moreOf(wallet, side, command.more?.groupId),
  };
  entry.hash = chainHash(wallet.lastHash, entry);
  return entry;
}

const sourceOf = ({ callerClass }: Command): Source =>
  callerClass === 'message' || callerClass === 'system' ? callerClass : 'grpc';

/** While anything is reserved, each entry says how much is after it. */
function moreOf(
  { held }: WalletState,
  { heldMinor, parent }: Side,
  groupId: string | undefined,
): EntryMore | undefined {
  if (!held && !parent && heldMinor === 0n && groupId === undefined) return undefined;
  return {
    heldMinor,
    heldAfterMinor: (held?.heldMinor ?? 0n) + heldMinor,
    parentUsedMinor: parent?.usedMinor ?? 0n,
    parentAmountMinor: parent?.amountMinor,
    groupId,
  };
}

/** A key names one transaction for ever: the same content gets it again, another is refused. */
function replay(twin: readonly Entry[], command: Command): Decision {
  const original = twin.find((entry) => entry.wallet.id === command.wallet.id);
  if (original && isSameContent(original, command)) {
    const others = twin.filter((entry) => entry !== original);
    return { kind: 'replayed', entries: [original, ...others] };
  }
  return reject(
    'IDEMPOTENCY_KEY_REUSED',
    'this idempotency key was used for another transaction: take a new key for a new transaction',
    { field: 'idempotency_key', transactionId: command.transactionId },
  );
}

/** A command without an amount is only the same as an entry that took all that was left. */
function isSameContent(original: Entry, command: Command): boolean {
  const { operation, parentId, amountMinor, more } = command;
  if (original.operation !== operation || original.parentId !== parentId) return false;
  if (original.more?.groupId !== more?.groupId) return false;
  if (!hasParent(operation) && original.contraAccount !== contraAccountOf(command)) return false;
  const movedMinor = absoluteMinor(original.amountMinor);
  const heldMinor = absoluteMinor(original.more?.heldMinor ?? 0n);
  const isAllMoved = heldMinor <= movedMinor;
  const isRest = usedAfter(original) === original.more?.parentAmountMinor;
  // A capture of all that is left keeps and releases the same: nothing.
  if (operation === 'capture' && !(more?.keepsRest === true ? isAllMoved : isRest)) return false;
  return amountMinor === undefined
    ? isRest && (isAllMoved || operation !== 'capture')
    : amountMinor === (movedMinor > 0n ? movedMinor : heldMinor);
}
