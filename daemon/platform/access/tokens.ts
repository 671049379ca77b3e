import {
  createLocalJWKSet,
  errors,
  jwtVerify,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';

import { isUuid } from '../../../core/ids.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { isRole, type Role } from '../../../core/roles.ts';
import { accessTokenLifeMs, isEndInvalid } from '../../../core/time/stored-times.ts';
import type { ClockAlarm } from '../clock-alarm.ts';

/** What signer and verifier must agree on. One algorithm, pinned: `none` and HMAC never match. */
export const tokenRules = {
  algorithm: 'EdDSA',
  issuer: 'digital-wallet',
  audience: 'digital-wallet',
  type: 'at+jwt',
  /** `amr`, RFC 8176: how the user signed in. */
  methods: ['pwd'],
  methodsWithTotp: ['pwd', 'otp'],
} as const;

export type VerifiedToken = {
  readonly userId: string;
  readonly role: Role;
  readonly sessionId: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** The user had a second factor when the token was signed; a change makes the token void. */
  readonly hasTotp: boolean;
  /** Void once the user has a later one; 0 where the token says none. */
  readonly generation: number;
};

export type TokenVerifier = {
  /** What `verify` found earlier, as long as that holds; undefined: ask it. */
  recall(token: string): VerifiedToken | undefined;
  /** TOKEN_EXPIRED, TOKEN_INVALID, or AUTH_UNAVAILABLE where the keys cannot be had. */
  verify(token: string): Promise<Result<VerifiedToken>>;
};

const maxCached = 10_000;
const minRefetchMs = 5_000;
/** After a failure the auth service is not asked again for so long on account of unknown keys. */
const retryFetchMs = 500;
/** A signing key that was withdrawn is believed no longer than this. */
const maxKeysAgeMs = 60_000;

/**
 * Verifies access tokens against the auth service's public keys. Verdicts are cached until the
 * token ends, since checking a signature costs more than a ledger row; revocation is looked at
 * elsewhere, on each call.
 */
export function createTokenVerifier(options: {
  readonly fetchJwks: () => Promise<JSONWebKeySet>;
  readonly nowMs: () => number;
  /** Hears of tokens that end later than any token may. */
  readonly clockAlarm?: Pick<ClockAlarm, 'report'>;
}): TokenVerifier {
  const verdicts = new Map<string, VerifiedToken>();
  let keys: { readonly resolve: JWTVerifyGetKey; readonly fetchedAtMs: number } | undefined;
  let kids = '';
  const fetchNow = async () => {
    const jwks = await options.fetchJwks();
    const fetchedKids = jwks.keys.map((key) => key.kid ?? '').join();
    if (fetchedKids !== kids) verdicts.clear();
    kids = fetchedKids;
    keys = { resolve: createLocalJWKSet(jwks), fetchedAtMs: options.nowMs() };
    return keys;
  };

  // However many tokens name keys that are not known.
  const { run: fetchKeys, sinceFailureMs } = oneAtATime(fetchNow);

  let refetching: Promise<unknown> | undefined;
  /** In the background: the known keys stay in use while the auth service is unavailable. */
  const refetchOld = (): void => {
    if (!keys || ageMs(keys, options.nowMs()) < maxKeysAgeMs) return;
    refetching ??= fetchKeys()
      .catch(() => undefined)
      .finally(() => (refetching = undefined));
  };

  const checkWith = (token: string, resolve: JWTVerifyGetKey) =>
    jwtVerify(token, resolve, {
      algorithms: [tokenRules.algorithm],
      issuer: tokenRules.issuer,
      audience: tokenRules.audience,
      typ: tokenRules.type,
      requiredClaims: ['sub', 'sid', 'role', 'iat', 'exp'],
      currentDate: new Date(options.nowMs()),
    });

  /** The claims, and whether the keys that were believed at the beginning still are. */
  const check = async (token: string): Promise<{ payload: JWTPayload; isLasting: boolean }> => {
    const known = keys ?? (await fetchKeys());
    const believed = kids;
    try {
      const { payload } = await checkWith(token, known.resolve);
      return { payload, isLasting: believed === kids };
    } catch (err) {
      const isStale = ageMs(known, options.nowMs()) > minRefetchMs;
      const mayFetch = isStale && sinceFailureMs() > retryFetchMs;
      if (!(err instanceof errors.JWKSNoMatchingKey) || !mayFetch) throw err;
      const fetched = await fetchKeys();
      const renewed = kids;
      const { payload } = await checkWith(token, fetched.resolve);
      return { payload, isLasting: renewed === kids };
    }
  };

  const recall = (token: string): VerifiedToken | undefined => {
    refetchOld();
    const cached = verdicts.get(token);
    return cached && !isExpired(cached, options.nowMs()) ? cached : undefined;
  };

  return {
    recall,
    verify: async (token) => {
      const cached = recall(token);
      if (cached) return succeed(cached);
      try {
        const { payload, isLasting } = await check(token);
        const verified = judgeClaims(payload, options.nowMs(), options.clockAlarm);
        // With keys that were withdrawn meanwhile: not to be remembered past them.
        if (verified.ok && isLasting) remember(verdicts, token, verified.value);
        return verified;
      } catch (err) {
        return explain(err);
      }
    },
  };
}

function remember<T>(verdicts: Map<string, T>, token: string, verdict: T): void {
  if (verdicts.size >= maxCached) verdicts.clear();
  verdicts.set(token, verdict);
}

/** Calls while the work is under way share its outcome. */
function oneAtATime<T>(work: () => Promise<T>) {
  let running: Promise<T> | undefined;
  let failedAtMs = -Infinity;
  return {
    run: (): Promise<T> => {
      running ??= work()
        .catch((err: unknown) => {
          failedAtMs = performance.now();
          throw err;
        })
        .finally(() => (running = undefined));
      return running;
    },
    sinceFailureMs: (): number => performance.now() - failedAtMs,
  };
}

/** After a step back the age is that of the step: the keys are fetched anew. */
const ageMs = ({ fetchedAtMs }: { readonly fetchedAtMs: number }, nowMs: number): number =>
  Math.abs(nowMs - fetchedAtMs);

const isExpired = ({ expiresAtMs }: VerifiedToken, nowMs: number): boolean =>
  expiresAtMs <= nowMs || isEndInvalid(expiresAtMs, nowMs, accessTokenLifeMs);

const tokenExpired = refuse(
  'TOKEN_EXPIRED',
  'the access token has expired: sign in again or refresh it',
);

function explain(err: unknown): Result<never> {
  if (err instanceof errors.JWTExpired) {
    return tokenExpired;
  }
  if (err instanceof errors.JOSEError || err instanceof TypeError) {
    return refuse('TOKEN_INVALID', 'the access token is not valid: sign in again');
  }
  return refuse(
    'AUTH_UNAVAILABLE',
    'credentials cannot be checked now: the auth service is unavailable',
  );
}

function judgeClaims(
  payload: JWTPayload,
  nowMs: number,
  clockAlarm: Pick<ClockAlarm, 'report'> | undefined,
): Result<VerifiedToken> {
  const verified = readClaims(payload);
  if (!verified) return refuse('TOKEN_INVALID', 'the access token is not one of ours');
  if (!isExpired(verified, nowMs)) return succeed(verified);
  if (verified.expiresAtMs > nowMs) clockAlarm?.report('access token');
  return tokenExpired;
}

function readClaims(payload: JWTPayload): VerifiedToken | undefined {
  const { sub, iat, exp } = payload;
  const sid = payload['sid'];
  const role = payload['role'];
  if (typeof sub !== 'string' || !isUuid(sub) || typeof sid !== 'string' || !isUuid(sid)) return;
  if (!isRole(role) || iat === undefined || exp === undefined) return;
  const amr = payload['amr'];
  const hasTotp = Array.isArray(amr) && amr.includes('otp');
  const [issuedAtMs, expiresAtMs] = [iat * 1000, exp * 1000];
  const gen = payload['gen'];
  const generation = typeof gen === 'number' ? gen : 0;
  return { userId: sub, role, sessionId: sid, issuedAtMs, expiresAtMs, hasTotp, generation };
}
