import type { WalletState } from './domain-types.ts';

/** A wallet whose last transaction lies further ahead of the clock than this is refused. */
export const clockToleranceMs = 5 * 60_000;

/** The earliest time that the next entry of a wallet may have, whatever the clock says. */
export const earliestTimeMs = (wallet: WalletState): number =>
  Math.max(wallet.lastAtMs, wallet.readWatermarkMs);

/** The time of a wallet's next entry. */
export const entryTimeMs = (wallet: WalletState, nowMs: number): number =>
  Math.max(nowMs, earliestTimeMs(wallet));

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
