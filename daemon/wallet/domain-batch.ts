import { ofHold } from '../../core/operations.ts';
import type { Reason, Rejection } from '../../core/reasons.ts';
import { entryTimeMs, isAheadUnaccepted } from './domain-clock.ts';
import { decideWithGroups, hasGroup } from './domain-groups.ts';
import { holdAfter, holdOf, readExpiry, toExpiryCommand } from './domain-holds.ts';
import { usedAfter, usedKey } from './domain-movement.ts';
import {
  decide,
  enter,
  newWallet,
  walletsOf,
  type Command,
  type Decision,
  type Entry,
  type Held,
  type Hold,
  type NewEntry,
  type States,
  type WalletState,
} from './domain.ts';
import type { DecidedBatch } from './domain-types.ts';

export type { DecidedBatch } from './domain-types.ts';

/** The states as earlier commands of the batch left them. */
type Current = States & {
  readonly wallets: Map<string, WalletState>;
  readonly entries: Map<string, readonly Entry[]>;
  readonly used: Map<string, bigint>;
  readonly refused: Map<string, Rejection>;
  readonly due: Map<string, readonly Hold[]>;
  readonly holds: Map<string, Hold>;
  readonly openHolds: Map<string, number>;
  readonly implied: NewEntry[];
  readonly changed: Map<string, WalletState>;
  readonly changedHolds: Map<string, Hold>;
};

/**
 * Decides a batch as if one after the other, each seeing what the earlier ones did; the commands of
 * an atomic group all together.
 */
export const decideBatch = (
  states: States,
  commands: readonly Command[],
  nowMs: number,
): DecidedBatch =>
  commands.some(hasGroup)
    ? decideWithGroups(states, commands, nowMs, { decideEach, releaseAll })
    : decideEach(states, commands, nowMs);

function decideEach(states: States, commands: readonly Command[], nowMs: number): DecidedBatch {
  const current = createCurrent(states);
  const decisions = commands.map((command) => decideNext(current, command, nowMs));
  return toBatch(current, decisions);
}

/** Only releases the holds of these commands' wallets whose time is over. */
function releaseAll(states: States, commands: readonly Command[], nowMs: number): DecidedBatch {
  const current = createCurrent(states);
  for (const command of commands) releaseFor(current, command, nowMs);
  return toBatch(current, []);
}

function createCurrent(states: States): Current {
  return {
    ...states,
    wallets: new Map(states.wallets),
    entries: new Map(states.entries),
    used: new Map(states.used),
    refused: new Map(states.refused),
    due: new Map(states.due),
    holds: new Map(states.holds),
    openHolds: new Map(states.openHolds),
    implied: [],
    changed: new Map(),
    changedHolds: new Map(),
  };
}

const toBatch = (
  { implied, changed, changedHolds }: Current,
  decisions: readonly Decision[],
): DecidedBatch => ({
  ...{ decisions, implied },
  changed: [...changed.values()],
  holds: [...changedHolds.values()],
});

/** Decides a command, and changes `current` to what is there after it. */
function decideNext(current: Current, command: Command, nowMs: number): Decision {
  releaseFor(current, command, nowMs);
  const decision = decide(current, command, nowMs);
  if (decision.kind === 'rejected' && isRemembered(command, decision.rejection)) {
    current.refused.set(command.transactionId, decision.rejection);
  }
  if (decision.kind !== 'accepted') return decision;
  current.entries.set(command.transactionId, decision.entries);
  for (const entry of decision.entries) apply(current, entry);
  const [own] = decision.entries;
  const hold = own && changeHold(current, own);
  return hold ? { ...decision, hold } : decision;
}

function releaseFor(current: Current, command: Command, nowMs: number): void {
  if (current.due.size === 0 || command.refusedIfNew) return;
  for (const { id } of walletsOf(command)) releaseDue(current, id, nowMs);
}

/** Enters the releases of a wallet's holds whose time is over, unless nothing may be entered. */
function releaseDue(current: Current, walletId: string, nowMs: number): void {
  const due = current.due.get(walletId);
  const first = current.wallets.get(walletId);
  if (!due || !first) return;
  if (current.corrupt.has(walletId) || isAheadUnaccepted(first, nowMs)) return;
  // All entries of a batch on one wallet have one time: none of the others ends within it.
  current.due.delete(walletId);
  let wallet = first;
  for (const hold of due) {
    if (hold.expiresAtMs > entryTimeMs(wallet, nowMs)) continue;
    const side = {
      amountMinor: 0n,
      heldMinor: hold.usedMinor - hold.amountMinor,
      contraAccount: hold.contraAccount,
      parent: { usedMinor: hold.usedMinor, amountMinor: hold.amountMinor },
      metadata: undefined,
    };
    const entry = enter(wallet, toExpiryCommand(wallet, hold.id), side, nowMs);
    current.implied.push(entry);
    current.entries.set(entry.id, [entry]);
    current.holds.set(hold.id, hold);
    wallet = apply(current, entry);
    changeHold(current, entry);
  }
}

/** The entry's wallet after it, and what is used of its parent. */
function apply({ wallets, changed, used }: Current, entry: Entry): WalletState {
  const wallet = evolve(wallets.get(entry.wallet.id) ?? newWallet(entry.wallet), entry);
  wallets.set(wallet.id, wallet);
  changed.set(wallet.id, wallet);
  if (entry.parentId !== undefined) used.set(usedKey(wallet.id, entry.parentId), usedAfter(entry));
  return wallet;
}

/** The hold that an entry places or uses, after it; undefined for other entries. */
function changeHold(current: Current, entry: Entry): Hold | undefined {
  const hold = findChanged(current, entry);
  if (!hold) return undefined;
  current.holds.set(hold.id, hold);
  current.changedHolds.set(hold.id, hold);
  const { openHolds } = current;
  const change = entry.operation === 'hold' ? 1 : hold.state === 'open' ? 0 : -1;
  if (change !== 0) openHolds.set(hold.walletId, (openHolds.get(hold.walletId) ?? 0) + change);
  return hold;
}

function findChanged({ holds, entries }: Current, entry: Entry): Hold | undefined {
  if (entry.operation === 'hold') return holdOf(entry);
  if (!ofHold(entry.operation) || entry.parentId === undefined) return undefined;
  const known = holds.get(entry.parentId);
  if (known) return holdAfter(known, entry);
  const placed = entries.get(entry.parentId)?.find(({ wallet }) => wallet.id === entry.wallet.id);
  return placed && holdAfter(holdOf(placed), entry);
}

/** True for a refusal that is kept with a message, so that its redelivery gets the same answer. */
export const isRemembered = (command: Command, rejection: Rejection): boolean =>
  command.callerClass === 'message' && !willPass.has(rejection.reason);

/** Not the message's fault, and over once an operator has looked into it, or the broker is back. */
const willPass = new Set<Reason>(['WALLET_CLOCK_AHEAD', 'WALLET_CORRUPT', 'OUTBOX_FULL']);

/** The wallet after an entry of its own. */
function evolve(wallet: WalletState, entry: Entry): WalletState {
  return {
    id: wallet.id,
    userId: wallet.userId,
    currency: wallet.currency,
    exponent: wallet.exponent,
    balanceMinor: entry.balanceAfterMinor,
    debitedMinor: entry.debitedAfterMinor,
    seq: entry.seq,
    lastAtMs: entry.occurredAtMs,
    readWatermarkMs: wallet.readWatermarkMs,
    aheadAcceptedMs: wallet.aheadAcceptedMs,
    lastHash: entry.hash,
    held: evolveHeld(wallet.held, entry),
    terms: wallet.terms,
  };
}

/** The first expiry stays where its hold is used: it may be too early, never too late. */
function evolveHeld(held: Held | undefined, entry: Entry): Held | undefined {
  const heldMinor = entry.more?.heldAfterMinor ?? 0n;
  if (heldMinor === 0n) return undefined;
  const nextExpiryMs = held?.nextExpiryMs ?? Infinity;
  if (entry.operation !== 'hold') return held && { heldMinor, nextExpiryMs };
  return { heldMinor, nextExpiryMs: Math.min(nextExpiryMs, readExpiry(entry)) };
}
