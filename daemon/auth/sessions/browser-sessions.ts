import { networkOf } from '../../../core/networks.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { createFairSemaphore, type FairLimits } from '../../platform/concurrency/fair-semaphore.ts';
import { readClock } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { decideExchange } from './browser-domain.ts';
import { findBrowserSession, lockBrowserSession, recordUse } from './browser-store.ts';
import { signTokens, type SessionOptions, type SignedIn } from './sessions.ts';
import { hashBrowserToken } from './signing-keys.ts';

type Caller = Pick<CallContext, 'source' | 'deadlineMs' | 'isCancelled'>;

export type BrowserSessions = {
  /**
   * An access token for the token of a browser session, without a refresh token. TOKEN_INVALID,
   * TOKEN_EXPIRED or TOKEN_REVOKED, which name the field; OVERLOADED where too many are exchanged
   * at once. `caller.source`: the address of the browser, as far as it is known.
   */
  exchange(browserToken: string, caller: Caller): Promise<Result<SignedIn>>;
};

/**
 * So many connections of the database at once, and networks take turns: a flood of invented tokens
 * takes neither the connections from sign-ins nor their turns from other browsers.
 */
const limits: FairLimits = { maxAtOnce: 4, maxWaiting: 2_000, maxWaitingOf: [500] };

/** Sessions whose secret stays the same: a browser holds it in a cookie. */
export function createBrowserSessions(options: SessionOptions): BrowserSessions {
  const turns = createFairSemaphore(limits);
  return {
    exchange: async (browserToken, caller) => {
      const hash = hashBrowserToken(browserToken);
      if (!hash) return unknownToken;
      const { source, deadlineMs } = caller;
      const isCancelled = (): boolean => caller.isCancelled();
      const turn = { path: [networkOf(source)], deadlineMs, isCancelled };
      const done = await turns.run(turn, () => exchangeHash(options, hash));
      return done.ok ? done.value : done;
    },
  };
}

/** Sets these apart from the same refusals of the credential that the service calls with. */
const field = 'browser_token';
const unknownToken = refuse('TOKEN_INVALID', 'browser_token is not valid: sign in again', {
  field,
});
const refusals = {
  revoked: refuse('TOKEN_REVOKED', 'this sign-in has been ended: sign in again', { field }),
  expired: refuse(
    'TOKEN_EXPIRED',
    'this sign-in has ended: it was not used for 12 hours, or is 30 days old; sign in again',
    { field },
  ),
};

async function exchangeHash(
  { db, keys, clockAlarm }: SessionOptions,
  hash: Buffer,
): Promise<Result<SignedIn>> {
  // An unknown one costs this lookup, and no transaction.
  const found = await db.read((tx) => findBrowserSession(tx, hash));
  if (!found) return unknownToken;
  return db.tx(async (tx) => {
    const held = await lockBrowserSession(tx, found);
    if (!held) return unknownToken;
    const { user, session } = held;
    const nowMs = await readClock(tx);
    const decision = decideExchange(session, nowMs);
    if (decision.outcome === 'revoked') return refusals.revoked;
    if (decision.outcome !== 'accept') {
      if (decision.outcome === 'past bound') clockAlarm.report('session');
      return refusals.expired;
    }
    const { latestEndMs, newEndMs } = decision;
    if (newEndMs !== undefined) await recordUse(tx, found.id, { nowMs, newEndMs });
    const opened = { id: found.id, expiresAtMs: latestEndMs };
    return succeed({ user, tokens: await signTokens(keys, user, opened, '', nowMs) });
  });
}
