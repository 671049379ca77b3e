import { createHash } from 'node:crypto';

import { refuse, succeed, type Rejection, type Result } from '../../core/reasons.ts';

/** An access token of a session, which the services accept until `expiresAtMs` (Unix time). */
export type AccessGrant = { readonly accessToken: string; readonly expiresAtMs: number };

/** Who shows the cookie: for the limits and the log of the auth service. */
export type CookieBearer = { readonly source: string; readonly requestId: string };

/** Asks the auth service for an access token of a browser's session. */
export type ExchangeSession = (
  sessionToken: string,
  bearer: CookieBearer,
) => Promise<Result<AccessGrant>>;

export type BrowserSessions = {
  /**
   * An access token for a session cookie: one that is kept, or a new one; or what the auth service
   * refuses with. A refusal of the cookie itself names the field `Cookie`.
   */
  exchange(sessionToken: string, bearer: CookieBearer): Promise<Result<string>>;
  /**
   * Drops what is kept for a cookie, so that the next request asks again; with `accessToken`, only
   * if that is what is kept.
   */
  forget(sessionToken: string, accessToken?: string): void;
};

export type BrowserSessionOptions = {
  readonly exchange: ExchangeSession;
  /** Unix time, by which `expiresAtMs` is meant. */
  readonly nowMs?: () => number;
  /** A clock that never steps. */
  readonly elapsedMs?: () => number;
  readonly maxEntries?: number;
};

/** A request that has just begun ends before its token does. */
const marginMs = 60_000;
/** Access tokens live 15 minutes. With a clock that is wrong, none is kept for longer than that. */
const maxLifeMs = 15 * 60_000;

/** `dws_` and 256 bits in base64url: anything else is refused without a call. */
const isSessionToken = (text: string): boolean => /^dws_[A-Za-z0-9_-]{43}$/.test(text);

type Entry = {
  readonly exchanging: Promise<Result<AccessGrant>>;
  /** Set once the exchange has succeeded; by the clock that never steps. */
  kept?: { readonly accessToken: string; readonly untilMs: number };
};

/**
 * Keeps the access tokens of browsers' sessions in memory, by the SHA-256 of the cookie: at most
 * 50,000, those used last. Requests with one cookie share one exchange. Refusals are not kept.
 */
export function createBrowserSessions(options: BrowserSessionOptions): BrowserSessions {
  const { nowMs = Date.now, elapsedMs = () => performance.now(), maxEntries = 50_000 } = options;
  // In order of use: the first entry is the one that was not used for the longest time.
  const entries = new Map<string, Entry>();

  const start = (key: string, sessionToken: string, bearer: CookieBearer): Entry => {
    const entry: Entry = { exchanging: options.exchange(sessionToken, bearer) };
    const drop = (): void => {
      if (entries.get(key) === entry) entries.delete(key);
    };
    entry.exchanging.then((exchanged) => {
      if (!exchanged.ok) {
        drop();
        return;
      }
      const { accessToken, expiresAtMs } = exchanged.value;
      const lifeMs = Math.min(expiresAtMs - nowMs(), maxLifeMs) - marginMs;
      entry.kept = { accessToken, untilMs: elapsedMs() + lifeMs };
    }, drop);
    return entry;
  };

  const use = (key: string, sessionToken: string, bearer: CookieBearer): Entry => {
    const known = entries.get(key);
    const isOver = known?.kept !== undefined && known.kept.untilMs <= elapsedMs();
    const entry = known && !isOver ? known : start(key, sessionToken, bearer);
    entries.delete(key);
    entries.set(key, entry);
    const [oldest] = entries.keys();
    if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest);
    return entry;
  };

  return {
    exchange: async (sessionToken, bearer) => {
      if (!isSessionToken(sessionToken)) return notASession;
      const exchanged = await use(hashToken(sessionToken), sessionToken, bearer).exchanging;
      return exchanged.ok ? succeed(exchanged.value.accessToken) : nameCookie(exchanged);
    },
    forget: (sessionToken, accessToken) => {
      const key = hashToken(sessionToken);
      const kept = entries.get(key)?.kept?.accessToken;
      if (accessToken === undefined || kept === accessToken) entries.delete(key);
    },
  };
}

const hashToken = (token: string): string => createHash('sha256').update(token).digest('base64');

/** Named by a refusal of the cookie itself: its session does not exist, or has ended. */
export const sessionField = 'Cookie';

const notASession = refuse('TOKEN_INVALID', 'the session cookie is not known: sign in', {
  field: sessionField,
});

/** The auth service knows the token by the name of its field. */
function nameCookie({ rejection }: { readonly rejection: Rejection }): Result<never> {
  const { reason, message, metadata } = rejection;
  return metadata['field'] === 'browser_token'
    ? refuse(reason, message, { ...metadata, field: sessionField })
    : refuse(reason, message, metadata);
}
