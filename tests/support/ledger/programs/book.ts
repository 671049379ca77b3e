import { ofHold } from '../../../../core/operations.ts';
import type { DecidedBatch } from '../../../../daemon/wallet/domain-batch.ts';
import {
  anchorKey,
  isSpending,
  limitsOf,
  windowsOf,
} from '../../../../daemon/wallet/domain-limits.ts';
import {
  earliestTimeMs,
  newWallet,
  nextReadWatermarkMs,
  usedKey,
  type Command,
  type Entry,
  type Hold,
  type SpendingLimits,
  type States,
  type Terms,
  type WalletRef,
  type WalletState,
} from '../../../../daemon/wallet/domain.ts';
import { noStates } from '../wallet-decider.ts';

/** Of wallets in JPY that have none of their own. */
export const defaultLimits: ReadonlyMap<string, SpendingLimits> = new Map([
  ['JPY', { dayMinor: 9n, timezone: 'Europe/Berlin' }],
]);

export const absolute = (value: bigint): bigint => (value < 0n ? -value : value);
export const bigger = (a: bigint, b: bigint): bigint => (a > b ? a : b);
/** What an entry uses up of its parent. */
export const usedBy = (entry: Entry): bigint =>
  bigger(absolute(entry.amountMinor), absolute(entry.more?.heldMinor ?? 0n));

/** A ledger in memory, which gives a batch what the database would. */
export type Book = ReturnType<typeof createBook>;

export function createBook() {
  const ledger: Entry[] = [];
  const wallets = new Map<string, WalletState>();
  const holds = new Map<string, Hold>();
  const entries = new Map<string, readonly Entry[]>();
  const used = new Map<string, bigint>();
  const timeOf = (wallet: WalletState, nowMs: number) => Math.max(nowMs, earliestTimeMs(wallet));
  const openOf = (walletId: string) =>
    [...holds.values()].filter((hold) => hold.walletId === walletId && hold.state === 'open');

  /** The open holds of a wallet whose time is over, and when the first of the others ends. */
  const splitOpen = (wallet: WalletState, nowMs: number) => {
    const open = openOf(wallet.id).sort(
      (a, b) => a.expiresAtMs - b.expiresAtMs || (a.id < b.id ? -1 : 1),
    );
    const isDue = (hold: Hold): boolean => hold.expiresAtMs <= timeOf(wallet, nowMs);
    const nextExpiryMs = open.find((hold) => !isDue(hold))?.expiresAtMs;
    return { due: open.filter(isDue), nextExpiryMs };
  };

  const readDue = (seen: ReadonlyMap<string, WalletState>, nowMs: number) => {
    const due = new Map<string, readonly Hold[]>();
    const corrected = new Map(seen);
    for (const wallet of seen.values()) {
      const { held } = wallet;
      if (!held || held.nextExpiryMs > timeOf(wallet, nowMs)) continue;
      const found = splitOpen(wallet, nowMs);
      if (found.due.length > 0) due.set(wallet.id, found.due);
      const { nextExpiryMs = held.nextExpiryMs } = found;
      corrected.set(wallet.id, { ...wallet, held: { ...held, nextExpiryMs } });
    }
    return { due, wallets: corrected };
  };

  const readAnchors = (
    seen: ReadonlyMap<string, WalletState>,
    commands: readonly Command[],
    nowMs: number,
  ) => {
    const anchors = new Map<string, bigint>();
    for (const { operation, wallet: ref } of commands) {
      const wallet = seen.get(ref.id);
      const limits = wallet && limitsOf(wallet, defaultLimits);
      if (!wallet || !limits || !isSpending(operation)) continue;
      for (const { startMs } of windowsOf(limits, timeOf(wallet, nowMs))) {
        anchors.set(
          anchorKey(wallet.id, startMs),
          debitedOf(ledger, wallet.id, -Infinity, startMs),
        );
      }
    }
    return anchors;
  };

  /** `see`: the wallets as they are to be read with. */
  const read = (
    commands: readonly Command[],
    nowMs: number,
    see: (wallet: WalletState) => WalletState = (wallet) => wallet,
  ): States => {
    const seen = new Map([...wallets].map(([id, wallet]) => [id, see(wallet)]));
    const placing = commands.filter(({ operation }) => operation === 'hold');
    const named = commands.filter(({ operation }) => ofHold(operation));
    return {
      ...{ ...noStates, ...readDue(seen, nowMs), defaultLimits },
      anchors: readAnchors(seen, commands, nowMs),
      ...{ entries: new Map(entries), used: new Map(used) },
      openHolds: new Map(placing.map(({ wallet }) => [wallet.id, openOf(wallet.id).length])),
      holds: new Map(
        named.flatMap(({ parentId = '' }) => {
          const hold = holds.get(parentId);
          return hold ? [[parentId, hold] as const] : [];
        }),
      ),
    };
  };

  const addEntry = (entry: Entry) => {
    ledger.push(entry);
    entries.set(entry.id, [...(entries.get(entry.id) ?? []), entry]);
    if (entry.parentId === undefined) return;
    const key = usedKey(entry.wallet.id, entry.parentId);
    used.set(key, (used.get(key) ?? 0n) + usedBy(entry));
  };
  return {
    ...{ ledger, wallets, holds, read },
    add: ({ implied, decisions, changed, holds: changedHolds }: DecidedBatch): void => {
      implied.forEach(addEntry);
      for (const decision of decisions) {
        if (decision.kind === 'accepted') decision.entries.forEach(addEntry);
      }
      for (const wallet of changed) wallets.set(wallet.id, wallet);
      for (const hold of changedHolds) holds.set(hold.id, hold);
    },
    setTerms: (ref: WalletRef, terms: Omit<Terms, 'no'>): void => {
      const wallet = wallets.get(ref.id) ?? newWallet(ref);
      wallets.set(ref.id, { ...wallet, terms: { ...terms, no: wallet.terms.no + 1 } });
    },
    report: ({ id }: WalletRef, nowMs: number): void => {
      const wallet = wallets.get(id);
      if (!wallet) return;
      const readWatermarkMs = nextReadWatermarkMs(wallet, nowMs);
      wallets.set(id, { ...wallet, readWatermarkMs });
    },
    /** The open holds of all wallets whose time is over by the clock. */
    listExpired: (nowMs: number): readonly Hold[] =>
      [...holds.values()].filter((hold) => hold.state === 'open' && hold.expiresAtMs <= nowMs),
  };
}

/** What entries of a wallet debited from one time on and before another. */
export function debitedOf(
  ledger: readonly Entry[],
  walletId: string,
  fromMs: number,
  beforeMs: number,
): bigint {
  let debitedMinor = 0n;
  for (const { wallet, amountMinor, occurredAtMs } of ledger) {
    const isIn = occurredAtMs >= fromMs && occurredAtMs < beforeMs;
    if (wallet.id === walletId && amountMinor < 0n && isIn) debitedMinor -= amountMinor;
  }
  return debitedMinor;
}
