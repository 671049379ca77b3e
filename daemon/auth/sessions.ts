import { randomUUID } from 'node:crypto';

import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type { TokenSet } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { readClock, type Db, type Tx } from '../platform/db.ts';
import type { Revocations } from '../platform/revocations.ts';
import {
  canonicalizeEmail,
  decideRefresh,
  normalizePassword,
  sessionLifeMs,
  type User,
} from './domain.ts';
import type { DeviceTokens } from './device-tokens.ts';
import type { Passwords } from './passwords.ts';
import { createRefreshToken, hashRefreshToken, type SigningKeys } from './signing-keys.ts';
import * as store from './store.ts';
import type { Attempted, Throttle } from './throttle.ts';

export type SessionOptions = {
  readonly db: Db;
  readonly passwords: Passwords;
  readonly keys: SigningKeys;
  readonly revocations: Revocations;
  readonly throttle: Throttle;
  readonly devices: DeviceTokens;
};

export type SignedIn = {
  readonly user: User;
  readonly tokens: TokenSet;
  /** Present after a sign-in. */
  readonly deviceToken?: string;
};

type SignInInput = {
  readonly email: string;
  readonly password: string;
  readonly client: string;
  readonly deviceToken: string;
  /** The address that the call came from. */
  readonly source: string;
};

const maxClientLength = 100;

/**
 * Unknown user, wrong password and disabled account get the same answer in the same time. Attempts
 * count against the address and the caller's network, or against the device that shows its token.
 */
export async function signIn(
  options: SessionOptions,
  input: SignInInput,
): Promise<Result<SignedIn>> {
  const { devices, throttle } = options;
  const email = canonicalizeEmail(input.email);
  const address = email.ok ? email.value : undefined;
  const deviceId = address && devices.read(input.deviceToken, address);
  const buckets =
    deviceId === undefined
      ? [
          throttle.bucketOf.signInsFrom(input.source),
          throttle.bucketOf.account(address ?? input.email),
        ]
      : [throttle.bucketOf.device(deviceId)];
  return throttle.guard(buckets, async () => {
    const attempted = await trySignIn(options, address, input);
    // Once more if the password was changed, or its hash renewed, while this one was checked.
    return attempted ?? (await trySignIn(options, address, input)) ?? failed;
  });
}

const failed = {
  outcome: 'failed' as const,
  result: refuse('CREDENTIALS_INVALID', 'e-mail or password is not right'),
};

/** One check of the password; undefined if what it was checked against holds no longer. */
async function trySignIn(
  options: SessionOptions,
  address: string | undefined,
  input: SignInInput,
): Promise<Attempted<SignedIn> | undefined> {
  const { db, passwords, devices } = options;
  const found =
    address === undefined ? undefined : await db.read((tx) => store.findCredentials(tx, address));
  const normalized = normalizePassword(input.password);
  const password = normalized ?? '';
  const verified = await passwords.verify(
    normalized === undefined ? undefined : found?.passwordHash,
    password,
  );
  if (!verified.ok) return { outcome: 'void', result: verified };
  if (!found || !verified.value.isMatch || found.user?.isDisabled) return failed;
  const { user, passwordHash } = found;
  if (!user) {
    const message = 'the address was not verified yet: enter the code that was mailed to it';
    return { outcome: 'passed', result: refuse('EMAIL_UNVERIFIED', message) };
  }
  const newHash = verified.value.isOutdated ? await passwords.hash(password) : undefined;
  const tokens = await db.tx(async (tx) => {
    if ((await store.lockPasswordHash(tx, user.id)) !== passwordHash) return undefined;
    if (newHash?.ok) await store.setPasswordHash(tx, user.id, newHash.value);
    return openSession(tx, options, user, input.client);
  });
  if (!tokens) return undefined;
  const known = devices.read(input.deviceToken, user.email);
  const deviceToken = known === undefined ? devices.issue(user.email) : input.deviceToken;
  return { outcome: 'passed', result: succeed({ user, tokens, deviceToken }) };
}

async function openSession(
  tx: Tx,
  { keys }: SessionOptions,
  user: User,
  client: string,
): Promise<TokenSet> {
  const nowMs = await readClock(tx);
  const session = {
    id: randomUUID(),
    userId: user.id,
    // Only shown in lists: what cannot be stored is left out rather than refused.
    client: client.replace(/[^\p{L}\p{N}\p{P}\p{Zs}]/gu, '').slice(0, maxClientLength),
    expiresAtMs: nowMs + sessionLifeMs,
  };
  const refreshToken = createRefreshToken();
  await store.insertSession(tx, session);
  await store.insertRefreshToken(tx, hashRefreshToken(refreshToken), session.id);
  return signTokens(keys, user, session, refreshToken, nowMs);
}

/** Trades a refresh token for its successor; a stolen copy ends the session. */
export async function refreshSession(
  options: SessionOptions,
  refreshToken: string,
): Promise<Result<SignedIn>> {
  const { db, keys, revocations } = options;
  const hash = hashRefreshToken(refreshToken);
  const successor = keys.deriveSuccessor(refreshToken);
  const successorHash = hashRefreshToken(successor);
  return db.tx(async (tx) => {
    const found = await store.lockRefreshToken(tx, hash, successorHash);
    if (!found) return refuse('REFRESH_TOKEN_INVALID', 'this sign-in has ended: sign in again');
    const { user, presented } = found;
    const nowMs = await readClock(tx);
    const decision = decideRefresh(presented, nowMs);
    if (decision === 'refuse') {
      return refuse('REFRESH_TOKEN_INVALID', 'this sign-in has ended: sign in again');
    }
    if (decision === 'revoke') {
      const revocation = await store.revokeSession(tx, presented.session.id);
      if (revocation) revocations.apply(revocation);
      return refuse(
        'REFRESH_TOKEN_INVALID',
        'this refresh token was used twice, so its sign-in has been ended: sign in again',
      );
    }
    if (decision === 'rotate') {
      await store.rotateRefreshToken(tx, hash, successorHash, presented.session.id);
    }
    const tokens = await signTokens(keys, user, presented.session, successor, nowMs);
    return succeed({ user, tokens });
  });
}

/** Ends a session; ending it twice is no error. */
export async function signOut(
  { db, revocations }: SessionOptions,
  sessionId: string,
): Promise<Result<object>> {
  const revocation = await db.tx((tx) => store.revokeSession(tx, sessionId));
  if (revocation) revocations.apply(revocation);
  return succeed({});
}

async function signTokens(
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
