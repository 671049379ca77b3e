import { entryTimeMs } from './domain-clock.ts';
import { anchorKey, limitsOf, windowsOf } from './domain-limits.ts';
import type { DecidedBatch } from './domain-types.ts';
import {
  usedAfter,
  usedKey,
  walletsOf,
  type Command,
  type Entry,
  type Hold,
  type States,
  type WalletState,
} from './domain.ts';

/** What a dry run remembers of its own earlier items, since no database does. */
export type Overlay = {
  readonly wallets: Map<string, WalletState>;
  readonly entries: Map<string, readonly Entry[]>;
  readonly used: Map<string, bigint>;
  /** Holds that were placed or changed, by id, and those of them that are open, by wallet. */
  readonly holds: Map<string, Hold>;
  readonly open: Map<string, Map<string, Hold>>;
  /** How many more open holds a wallet has than before the run. */
  readonly openHolds: Map<string, number>;
  /** What wallets had debited at the end of each time of their entries, in order. */
  readonly debits: Map<string, Debited[]>;
};
type Debited = { readonly atMs: number; readonly debitedMinor: bigint };

export const newOverlay = (): Overlay => ({
  wallets: new Map(),
  entries: new Map(),
  used: new Map(),
  holds: new Map(),
  open: new Map(),
  openHolds: new Map(),
  debits: new Map(),
});

/**
 * The wallet as what belongs to it is read for a run: its next entry comes after those of the run,
 * whose times decide which holds are over and where the windows of limits begin.
 */
export function afterRun(overlay: Overlay, wallet: WalletState): WalletState {
  const lastAtMs = overlay.wallets.get(wallet.id)?.lastAtMs ?? wallet.lastAtMs;
  return lastAtMs > wallet.lastAtMs ? { ...wallet, lastAtMs } : wallet;
}

/**
 * What was read at `nowMs`, as far as the commands concern it, with what the run did to it laid
 * over it.
 */
export function overlayStates(
  overlay: Overlay,
  states: States,
  commands: readonly Command[],
  nowMs: number,
): States {
  const wallets = new Map(states.wallets);
  const entries = new Map(states.entries);
  const used = new Map(states.used);
  const current = {
    ...{ wallets, due: new Map(states.due), holds: new Map(states.holds) },
    ...{ openHolds: new Map(states.openHolds), anchors: new Map(states.anchors) },
  };
  for (const { wallet, transactionId, parentId } of commands) {
    for (const id of [transactionId, parentId]) {
      const known = id === undefined ? undefined : overlay.entries.get(id);
      if (id !== undefined && known) entries.set(id, known);
      const hold = id === undefined ? undefined : overlay.holds.get(id);
      if (hold) current.holds.set(hold.id, hold);
    }
    const key = usedKey(wallet.id, parentId ?? '');
    const usedMinor = overlay.used.get(key);
    if (usedMinor !== undefined) used.set(key, usedMinor);
  }
  for (const id of new Set(commands.flatMap(walletsOf).map((ref) => ref.id))) {
    const changed = overlay.wallets.get(id);
    if (changed) overlayWallet(overlay, states, current, changed, nowMs);
  }
  return { ...states, ...current, entries, used };
}

type Overlaid = {
  readonly wallets: Map<string, WalletState>;
  readonly due: Map<string, readonly Hold[]>;
  readonly openHolds: Map<string, number>;
  readonly anchors: Map<string, bigint>;
};

/** A wallet that the run has changed, and what is known of its holds and limits. */
function overlayWallet(
  overlay: Overlay,
  states: States,
  current: Overlaid,
  wallet: WalletState,
  nowMs: number,
): void {
  const { id } = wallet;
  current.wallets.set(id, wallet);
  const more = overlay.openHolds.get(id);
  if (more !== undefined) current.openHolds.set(id, (states.openHolds.get(id) ?? 0) + more);
  const read = (states.due.get(id) ?? []).filter((hold) => !overlay.holds.has(hold.id));
  const own = [...(overlay.open.get(id)?.values() ?? [])].filter(
    ({ expiresAtMs }) => expiresAtMs <= entryTimeMs(wallet, nowMs),
  );
  if (own.length > 0) current.due.set(id, [...read, ...own].sort(byExpiry));
  else if (read.length > 0) current.due.set(id, read);
  else current.due.delete(id);
  const limits = limitsOf(wallet, states.defaultLimits);
  if (!limits) return;
  const before = states.wallets.get(id);
  for (const { startMs } of windowsOf(limits, entryTimeMs(wallet, nowMs))) {
    const key = anchorKey(id, startMs);
    const debited = overlay.debits.get(id)?.findLast(({ atMs }) => atMs < startMs)?.debitedMinor;
    const known = before && startMs > before.lastAtMs ? before.debitedMinor : undefined;
    const debitedMinor = debited ?? states.anchors.get(key) ?? known;
    if (debitedMinor !== undefined) current.anchors.set(key, debitedMinor);
  }
}

const byExpiry = (a: Hold, b: Hold): number =>
  a.expiresAtMs - b.expiresAtMs || (a.id < b.id ? -1 : 1);

/** Adds what was decided to what is remembered. */
export function addToOverlay(
  overlay: Overlay,
  { decisions, implied, changed, holds }: DecidedBatch,
): void {
  for (const entry of implied) addEntry(overlay, entry, [entry]);
  for (const decision of decisions) {
    if (decision.kind !== 'accepted') continue;
    for (const entry of decision.entries) addEntry(overlay, entry, decision.entries);
  }
  for (const hold of holds) addHold(overlay, hold);
  for (const wallet of changed) {
    overlay.wallets.set(wallet.id, wallet);
    addDebited(overlay, wallet);
  }
}

function addEntry(overlay: Overlay, entry: Entry, entries: readonly Entry[]): void {
  const { id, wallet, parentId, operation } = entry;
  overlay.entries.set(id, entries);
  if (parentId !== undefined) overlay.used.set(usedKey(wallet.id, parentId), usedAfter(entry));
  if (operation === 'hold') addOpen(overlay, wallet.id, 1);
}

function addHold({ holds, open, openHolds }: Overlay, hold: Hold): void {
  holds.set(hold.id, hold);
  const ofWallet = open.get(hold.walletId) ?? new Map<string, Hold>();
  open.set(hold.walletId, ofWallet);
  if (hold.state === 'open') ofWallet.set(hold.id, hold);
  else {
    ofWallet.delete(hold.id);
    addOpen({ openHolds }, hold.walletId, -1);
  }
}

function addOpen({ openHolds }: Pick<Overlay, 'openHolds'>, id: string, change: number): void {
  openHolds.set(id, (openHolds.get(id) ?? 0) + change);
}

function addDebited({ debits }: Overlay, { id, lastAtMs, debitedMinor }: WalletState): void {
  const known = debits.get(id) ?? [];
  debits.set(id, known);
  if (known.at(-1)?.atMs === lastAtMs) known.pop();
  known.push({ atMs: lastAtMs, debitedMinor });
}
