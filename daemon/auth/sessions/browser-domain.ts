import { isEndInvalid } from '../../../core/time/stored-times.ts';

/** A browser session that is not used for so long has ended. */
export const browserIdleMs = 12 * 60 * 60_000;
/** However often it is used, it ends after 30 days. */
export const browserLifeMs = 30 * 24 * 60 * 60_000;
/** Uses within this time after one that was recorded are not: one write a minute at most. */
const recordEveryMs = 60_000;

/** A browser session whose token was presented, under the lock of its row and its user's. */
export type BrowserSession = {
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number;
  /** Its end unless it is used before. */
  readonly expiresAtMs: number;
  readonly revokedAtMs: number | undefined;
  readonly isUserDisabled: boolean;
};

/** `latestEndMs`: its end however often it is used. */
export type ExchangeDecision =
  | {
      readonly outcome: 'accept';
      readonly latestEndMs: number;
      /** The new end to record with this use; undefined where the last use was recorded lately. */
      readonly newEndMs: number | undefined;
    }
  | { readonly outcome: 'revoked' | 'expired' | 'past bound' };

/**
 * What the token of a browser session gets at a time of the database's clock. `past bound`: it
 * would end later than any can, because the clock was ahead; that counts as expired.
 */
export function decideExchange(session: BrowserSession, nowMs: number): ExchangeDecision {
  if (session.revokedAtMs !== undefined || session.isUserDisabled) return { outcome: 'revoked' };
  const latestEndMs = session.createdAtMs + browserLifeMs;
  if (Math.min(session.expiresAtMs, latestEndMs) <= nowMs) return { outcome: 'expired' };
  if (isEndInvalid(session.expiresAtMs, nowMs, browserIdleMs)) return { outcome: 'past bound' };
  // A last use in the future is kept until the clock has caught up: tokens of that time are void
  // by revocations that are as late.
  const isDue = nowMs - session.lastUsedAtMs >= recordEveryMs;
  const newEndMs = isDue ? Math.min(nowMs + browserIdleMs, latestEndMs) : undefined;
  return { outcome: 'accept', latestEndMs, newEndMs };
}
