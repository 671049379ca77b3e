import type { Extent } from '../domain.ts';

/** What the lines after an opening line add up to, through another; all of them were there. */
export type Totals = {
  readonly openingSeq: bigint;
  readonly throughSeq: bigint;
  /** As in `Extent`: the opening line counts where there is one. */
  readonly lineCount: bigint;
  readonly totalDebitMinor: bigint;
  readonly totalCreditMinor: bigint;
  readonly holdCount: bigint;
};

/**
 * Sums of long statements that were read recently. Lines are never changed, so the next page, or
 * another read soon after, needs only the sums of the lines that came since.
 */
export type RunningTotals = {
  /** What can be gone on from, up to `closingSeq`. */
  find(walletId: string, openingSeq: bigint, closingSeq: bigint): Totals | undefined;
  /** Only of a statement that was found complete and adds up. */
  keep(walletId: string, extent: Extent): void;
  forget(walletId: string): void;
};

/** Fewer lines are added up in no time. */
const minLines = 1_000n;
/** Some 2 MB. */
const maxWallets = 5_000;
/** A rebuild, here or in another process, may put damaged lines right. */
const maxAgeMs = 60_000;

export function createRunningTotals(nowMs: () => number): RunningTotals {
  type Kept = { readonly sums: Totals; readonly keptAtMs: number };
  const byWallet = new Map<string, Kept>();
  return {
    find: (walletId, openingSeq, closingSeq) => {
      const kept = byWallet.get(walletId);
      if (!kept || nowMs() - kept.keptAtMs > maxAgeMs) return undefined;
      const { sums } = kept;
      return sums.openingSeq === openingSeq && sums.throughSeq <= closingSeq ? sums : undefined;
    },
    keep: (walletId, extent) => {
      if (extent.lineCount < minLines) return;
      const { openingSeq, closingSeq: throughSeq, lineCount } = extent;
      const { totalDebitMinor, totalCreditMinor, holdCount } = extent;
      const totals = { lineCount, totalDebitMinor, totalCreditMinor, holdCount };
      const sums = { openingSeq, throughSeq, ...totals };
      const known = byWallet.get(walletId);
      // Not younger for being used: what it began with counts.
      const isGoneOn =
        known?.sums.openingSeq === openingSeq && nowMs() - known.keptAtMs <= maxAgeMs;
      const keptAtMs = isGoneOn ? known.keptAtMs : nowMs();
      byWallet.delete(walletId);
      byWallet.set(walletId, { sums, keptAtMs });
      const [oldest] = byWallet.keys();
      if (byWallet.size > maxWallets && oldest !== undefined) byWallet.delete(oldest);
    },
    forget: (walletId) => void byWallet.delete(walletId),
  };
}
