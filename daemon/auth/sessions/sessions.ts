import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { isEndInvalid } from '../../../core/time/stored-times.ts';
import type { TokenSet } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { deny, type UserPrincipal } from '../../platform/access/access.ts';
import { appendAudit } from '../../platform/audit/audit.ts';
import type { ClockAlarm } from '../../platform/clock-alarm.ts';
import { readClock, type Db } from '../../platform/db/db.ts';
import type { Revocations } from '../../platform/access/revocations.ts';
import type { DeviceTokens } from './device-tokens.ts';
import {
  decideRefresh,
  refreshGraceMs,
  sessionLifeMs,
  type PresentedToken,
  type User,
} from '../domain.ts';
import type { Notices } from '../notices/notices.ts';
import type { Passwords } from '../users/passwords.ts';
import { hashRefreshToken, isBrowserToken, type SigningKeys } from './signing-keys.ts';
import * as store from '../store.ts';
import { revokeSession } from './revoke.ts';
import type { Throttle } from '../throttling/throttle.ts';
import type { SecondFactor } from '../totp/second-factor.ts';

export type SessionOptions = {
  readonly db: Db;
  readonly passwords: Passwords;
  readonly keys: SigningKeys;
  readonly revocations: Revocations;
  readonly throttle: Throttle;
  readonly devices: DeviceTokens;
  readonly secondFactor: SecondFactor;
  readonly notices: Notices;
  readonly clockAlarm: ClockAlarm;
};

export type SignedIn = {
  readonly user: User;
  readonly tokens: TokenSet;
  /** Present after a sign-in. */
  readonly deviceToken?: string;
  /** Present after a sign-in with a recovery code. */
  readonly recoveryCodesLeft?: number;
  /** Present after a sign-in for a browser session; then the other tokens are empty. */
  readonly browserToken?: string;
};

const anonymous = { principal: { kind: 'anonymous' } } as const;

/** Trades a refresh token for its successor; a stolen copy ends the session. */
export async function refreshSession(
  options: SessionOptions,
  refreshToken: string,
  requestId: string,
): Promise<Result<SignedIn>> {
  const { db, keys, revocations, throttle } = options;
  if (isBrowserToken(refreshToken)) return notRefreshed;
  const hash = hashRefreshToken(refreshToken);
  const successors = keys.deriveSuccessors(refreshToken);
  const refreshed = await db.tx(async (tx) => {
    const found = await store.lockRefreshToken(tx, hash, successors.map(hashRefreshToken));
    if (!found) return { result: sessionEnded };
    const { user, presented } = found;
    const nowMs = await readClock(tx);
    const decision = decideRefresh(presented, nowMs);
    if (decision === 'refuse' || decision === 'revoke') reportClock(options, presented, nowMs);
    if (decision === 'revoke') {
      const revocation = await revokeSession(tx, presented.session.id);
      const line = { action: 'session.reuse', target: user.id, result: 'REFRESH_TOKEN_INVALID' };
      const details = { sessionId: presented.session.id };
      if (revocation) await appendAudit(tx, { ...anonymous, requestId }, { ...line, details });
      return { result: tokenReused, revocation };
    }
    if (decision === 'rotate') {
      const refreshes = throttle.bucketOf.refreshesOf(presented.session.id);
      if (!(await throttle.count(tx, refreshes))) {
        return { result: await throttle.explain(tx, refreshes) };
      }
      const successorHash = hashRefreshToken(successors[0]);
      await store.rotateRefreshToken(tx, hash, successorHash, presented.session.id);
    }
    const successor = decision === 'rotate' ? successors[0] : successors[found.successorIndex];
    // None: it was derived with a key that has been withdrawn meanwhile.
    if (decision === 'refuse' || successor === undefined) return { result: sessionEnded };
    const tokens = await signTokens(keys, user, presented.session, successor, nowMs);
    return { result: succeed({ user, tokens }) };
  });
  if (refreshed.revocation) revocations.apply(refreshed.revocation);
  return refreshed.result;
}

/** A session or a use of its token that is of a later time than there can be. */
function reportClock(
  { clockAlarm }: SessionOptions,
  { session, usedAtMs }: PresentedToken,
  nowMs: number,
): void {
  if (isEndInvalid(session.expiresAtMs, nowMs, sessionLifeMs)) clockAlarm.report('session');
  else if ((usedAtMs ?? 0) > nowMs + refreshGraceMs) clockAlarm.report('refresh token');
}

const sessionEnded = refuse('REFRESH_TOKEN_INVALID', 'this sign-in has ended: sign in again');
const notRefreshed = refuse(
  'TOKEN_INVALID',
  'refresh_token is the token of a browser session, which cannot be refreshed: use it as cookie',
  { field: 'refresh_token' },
);
const tokenReused = refuse(
  'REFRESH_TOKEN_INVALID',
  'this refresh token was used twice, so its sign-in has been ended: sign in again',
);

/** Ends the caller's session; ending it twice is no error. */
export async function signOut(
  { db, revocations }: SessionOptions,
  caller: { readonly principal: UserPrincipal; readonly requestId: string },
): Promise<Result<object>> {
  const { sessionId, userId } = caller.principal;
  if (sessionId === undefined) return deny('only a user who is signed in can sign out');
  const revocation = await db.tx(async (tx) => {
    const ended = await revokeSession(tx, sessionId);
    const line = { action: 'sign_out', target: userId, result: 'ok', details: { sessionId } };
    if (ended) await appendAudit(tx, caller, line);
    return ended;
  });
  if (revocation) revocations.apply(revocation);
  return succeed({});
}

/** An access token for a session, beside the refresh token that goes with it. */
export async function signTokens(
  keys: SigningKeys,
  user: User,
  session: { readonly id: string; readonly expiresAtMs: number },
  refreshToken: string,
  nowMs: number,
): Promise<TokenSet> {
  const access = await keys.signAccessToken(user, session.id, {
    nowMs,
    sessionExpiresAtMs: session.expiresAtMs,
  });
  return {
    accessToken: access.token,
    accessTokenExpiresAt: new Date(access.expiresAtMs),
    refreshToken,
    sessionExpiresAt: new Date(session.expiresAtMs),
    sessionId: session.id,
  };
}
