import { ofHold } from '../../../core/operations.ts';
import type { Tx } from '../../platform/db/db.ts';
import {
  earliestTimeMs,
  noRareStates,
  type Command,
  type Hold,
  type RareStates,
  type SpendingLimits,
  type WalletState,
} from '../domain.ts';
import { anchorKey, isSpending, limitsOf, windowsOf } from '../domain-limits.ts';
import { readDebitedBefore, type AnchorPlace } from './anchors.ts';
import { countOpen, readDue, readHolds } from './holds.ts';
import type { EntryKey } from './store.ts';

/** The limits of wallets that have none of their own, by currency. */
export type DefaultLimits = RareStates['defaultLimits'];
export const noDefaultLimits: DefaultLimits = noRareStates.defaultLimits;

/** All debits of one wallet before times, by `anchorKey`. */
export type Anchors = ReadonlyMap<string, bigint>;

/** What is read of holds and limits: proved by the wallets' hashes, or by their locks. */
type RareReads = Omit<RareStates, 'due'> & {
  readonly lasting: Lasting;
};

/** What was debited before a wallet's calendar windows, of which the last begins at `startsAtMs`. */
type LastingAnchors = { readonly anchors: Anchors; readonly startsAtMs: number };
/** By wallet. */
export type Lasting = ReadonlyMap<string, LastingAnchors>;

type Wallets = ReadonlyMap<string, WalletState>;

/** The time of a wallet's next entry. */
const timeOf = (wallet: WalletState, clockMs: number): number =>
  Math.max(clockMs, earliestTimeMs(wallet));

/** Those of which a hold may have ended: their next entries release it. */
export function findExpiring(wallets: Wallets, clockMs: number): WalletState[] {
  const expiring: WalletState[] = [];
  for (const wallet of wallets.values()) {
    const { held } = wallet;
    if (held && held.nextExpiryMs <= timeOf(wallet, clockMs)) expiring.push(wallet);
  }
  return expiring;
}

/**
 * The open holds of wallets whose time is over, and these wallets with the right time at which the
 * first of the others ends.
 */
export async function readExpiring(
  tx: Tx,
  wallets: Wallets,
  clockMs: number,
): Promise<{ readonly wallets: Wallets; readonly due: RareStates['due'] }> {
  const expiring = findExpiring(wallets, clockMs);
  if (expiring.length === 0) return { wallets, due: noRareStates.due };
  const times = expiring.map((wallet) => ({ walletId: wallet.id, atMs: timeOf(wallet, clockMs) }));
  const found = await readDue(tx, times);
  const corrected = new Map(wallets);
  const due = new Map<string, readonly Hold[]>();
  for (const wallet of expiring) {
    const of = found.get(wallet.id);
    if (!of) continue;
    if (of.due.length > 0) due.set(wallet.id, of.due);
    if (!wallet.held || of.nextExpiryMs === undefined) continue;
    const held = { ...wallet.held, nextExpiryMs: of.nextExpiryMs };
    corrected.set(wallet.id, { ...wallet, held });
  }
  return { wallets: corrected, due };
}

/**
 * What holds and spending limits are decided on, as far as commands need it. `recall` gives what is
 * remembered of a wallet's calendar windows.
 */
export async function readRare(
  tx: Tx,
  commands: readonly Command[],
  wallets: Wallets,
  clockMs: number,
  defaultLimits: DefaultLimits,
  recall: (walletId: string) => Anchors | undefined = () => undefined,
): Promise<RareReads> {
  const asked = findAsked(commands, wallets, defaultLimits);
  if (!asked) return defaultLimits.size === 0 ? nothing : { ...nothing, defaultLimits };
  const [holds, openHolds, { anchors, lasting }] = await Promise.all([
    readHolds(tx, asked.holds),
    countOpen(tx, [...asked.placing]),
    readAnchors(tx, [...asked.limited.values()], clockMs, recall),
  ]);
  return { holds, openHolds, anchors, lasting, defaultLimits };
}

const nothing: RareReads = { ...noRareStates, lasting: new Map() };

type Limited = { readonly wallet: WalletState; readonly limits: SpendingLimits };
type Asked = {
  readonly holds: readonly EntryKey[];
  /** Wallets that have something reserved, where a command places a hold. */
  readonly placing: ReadonlySet<string>;
  readonly limited: ReadonlyMap<string, Limited>;
};

/** Undefined where commands need nothing of it, as nearly all. */
function findAsked(
  commands: readonly Command[],
  wallets: Wallets,
  defaultLimits: DefaultLimits,
): Asked | undefined {
  const holds: EntryKey[] = [];
  const placing = new Set<string>();
  const limited = new Map<string, Limited>();
  const hasLimits = defaultLimits.size > 0 || hasOwnLimits(wallets);
  for (const { operation, wallet: ref, parentId } of commands) {
    if (parentId !== undefined && ofHold(operation)) {
      holds.push({ id: parentId, walletId: ref.id });
    }
    const isHold = operation === 'hold';
    if (!isHold && (!hasLimits || !isSpending(operation))) continue;
    const wallet = wallets.get(ref.id);
    if (!wallet) continue;
    if (isHold && wallet.held) placing.add(ref.id);
    const limits = hasLimits ? limitsOf(wallet, defaultLimits) : undefined;
    if (limits) limited.set(ref.id, { wallet, limits });
  }
  const isNone = holds.length === 0 && placing.size === 0 && limited.size === 0;
  return isNone ? undefined : { holds, placing, limited };
}

function hasOwnLimits(wallets: Wallets): boolean {
  for (const { terms } of wallets.values()) if (terms.limits) return true;
  return false;
}

/** All debits of wallets before each window of their limits. */
export async function readAnchors(
  tx: Tx,
  limited: readonly Limited[],
  clockMs: number,
  recall: (walletId: string) => Anchors | undefined = () => undefined,
): Promise<{ readonly anchors: Anchors; readonly lasting: Lasting }> {
  const anchors = new Map<string, bigint>();
  const calendar = new Map<string, Map<string, number>>();
  const places: (AnchorPlace & { readonly key: string })[] = [];
  for (const { wallet, limits } of limited) {
    const known = recall(wallet.id);
    const starts = new Map<string, number>();
    for (const { startMs, resetsAtMs } of windowsOf(limits, timeOf(wallet, clockMs))) {
      const key = anchorKey(wallet.id, startMs);
      if (resetsAtMs !== undefined) starts.set(key, startMs);
      const debitedMinor = startMs > wallet.lastAtMs ? wallet.debitedMinor : known?.get(key);
      if (debitedMinor !== undefined) anchors.set(key, debitedMinor);
      else places.push({ key, walletId: wallet.id, seq: wallet.seq, startMs });
    }
    if (starts.size > 0) calendar.set(wallet.id, starts);
  }
  const read = await readDebitedBefore(tx, places);
  places.forEach(({ key }, i) => anchors.set(key, read[i] ?? 0n));
  const pick = (starts: ReadonlyMap<string, number>): LastingAnchors => ({
    anchors: new Map([...starts.keys()].map((key) => [key, anchors.get(key) ?? 0n])),
    startsAtMs: Math.max(...starts.values()),
  });
  return { anchors, lasting: new Map([...calendar].map(([id, starts]) => [id, pick(starts)])) };
}
