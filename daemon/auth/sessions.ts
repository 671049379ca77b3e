import { randomUUID } from 'node:crypto';

import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type { TokenSet } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { deny, type UserPrincipal } from '../platform/access.ts';
import { appendAudit } from '../platform/audit.ts';
import { readClock, type Db, type Tx } from '../platform/db.ts';
import type { Revocations } from '../platform/revocations.ts';
import {
  canonicalizeEmail,
  decideRefresh,
  normalizePassword,
  sessionLifeMs,
  type User,
} from './domain.ts';
import { findDevice, issueDeviceToken, type DeviceTokens } from './device-tokens.ts';
import type { Notices } from './notices/notices.ts';
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
  readonly notices: Notices;
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
const anonymous = { principal: { kind: 'anonymous' } } as const;

/**
 * Unknown user, wrong password and disabled account get the same answer in the same time. Attempts
 * count against the address and the caller's network, or against the device that shows its token.
 */
export async function signIn(
  options: SessionOptions,
  input: SignInInput,
): Promise<Result<SignedIn>> {
  const { throttle } = options;
  const email = canonicalizeEmail(input.email);
  const address = email.ok ? email.value : undefined;
  const deviceId = await findDevice(options, input.deviceToken, address);
  const buckets =
    deviceId === undefined
      ? [
          throttle.bucketOf.signInsFrom(input.source),
          throttle.bucketOf.account(address ?? input.email),
        ]
      : [throttle.bucketOf.device(deviceId)];
  return throttle.guard(buckets, async () => {
    const isKnownDevice = deviceId !== undefined;
    const attempted = await trySignIn(options, address, input, isKnownDevice);
    // Once more if the password was changed, or its hash renewed, while this one was checked.
    return attempted ?? (await trySignIn(options, address, input, isKnownDevice)) ?? failed;
  });
}

const failed = {
  outcome: 'failed' as const,
  result: refuse('CREDENTIALS_INVALID', 'e-mail or password is not right'),
};

const unverified = {
  // Counted: a sign-up with the address of somebody else must not clear what was counted for it.
  outcome: 'failed' as const,
  result: refuse(
    'EMAIL_UNVERIFIED',
    'the address was not verified yet: enter the code that was mailed to it',
  ),
};

/** One check of the password; undefined if what it was checked against holds no longer. */
async function trySignIn(
  options: SessionOptions,
  address: string | undefined,
  input: SignInInput,
  isKnownDevice: boolean,
): Promise<Attempted<SignedIn> | undefined> {
  const { db, passwords, devices, notices } = options;
  const found =
    address === undefined ? undefined : await db.read((tx) => store.findCredentials(tx, address));
  const normalized = normalizePassword(input.password);
  const password = normalized ?? '';
  const account = found?.account;
  const verified = await passwords.verify(
    normalized === undefined ? undefined : account?.passwordHash,
    password,
  );
  if (!verified.ok) return { outcome: 'void', result: verified };
  if (!account || !verified.value.isMatch || account.user.isDisabled) {
    return checkPending(options, found?.pendingHash, normalized);
  }
  const { user, passwordHash } = account;
  const newHash = verified.value.isOutdated ? await passwords.hash(password) : undefined;
  const signedIn = await db.tx(async (tx) => {
    if (newHash?.ok) await store.setPasswordHash(tx, user.id, newHash.value, passwordHash);
    const provenHashes = [passwordHash, ...(newHash?.ok ? [newHash.value] : [])];
    const opened = await openSession(tx, options, { userId: user.id, provenHashes }, input.client);
    if (typeof opened === 'string') return opened;
    if (isKnownDevice) return { ...opened, deviceToken: input.deviceToken };
    const { source, client } = input;
    await notices.notifyOwner(tx, opened.user, { kind: 'new-device', source, client });
    return { ...opened, deviceToken: await issueDeviceToken(tx, devices, opened.user) };
  });
  if (signedIn === 'disabled') return failed;
  if (signedIn === 'changed') return undefined;
  return { outcome: 'passed', result: succeed(signedIn) };
}

/** The same for every address, whether or not it has an account: a sign-up must not tell. */
async function checkPending(
  { passwords }: SessionOptions,
  pendingHash: string | undefined,
  password: string | undefined,
): Promise<Attempted<SignedIn>> {
  if (pendingHash === undefined || password === undefined) return failed;
  const verified = await passwords.verify(pendingHash, password);
  if (!verified.ok) return { outcome: 'void', result: verified };
  return verified.value.isMatch ? unverified : failed;
}

/**
 * Opens a session for a user as they are now, not as they were when the password was looked at:
 * checking that takes a while, and the role, the password or the account may have changed.
 */
async function openSession(
  tx: Tx,
  { keys }: SessionOptions,
  proven: { readonly userId: string; readonly provenHashes: readonly string[] },
  client: string,
): Promise<SignedIn | 'disabled' | 'changed'> {
  const held = await store.lockCredentials(tx, proven.userId);
  if (!held || held.user.isDisabled) return 'disabled';
  if (!proven.provenHashes.includes(held.passwordHash)) return 'changed';
  const { user } = held;
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
  return { user, tokens: await signTokens(keys, user, session, refreshToken, nowMs) };
}

/** Trades a refresh token for its successor; a stolen copy ends the session. */
export async function refreshSession(
  options: SessionOptions,
  refreshToken: string,
  requestId: string,
): Promise<Result<SignedIn>> {
  const { db, keys, revocations } = options;
  const hash = hashRefreshToken(refreshToken);
  const successors = keys.deriveSuccessors(refreshToken);
  const refreshed = await db.tx(async (tx) => {
    const found = await store.lockRefreshToken(tx, hash, successors.map(hashRefreshToken));
    if (!found) return { result: sessionEnded };
    const { user, presented } = found;
    const nowMs = await readClock(tx);
    const decision = decideRefresh(presented, nowMs);
    if (decision === 'revoke') {
      const revocation = await store.revokeSession(tx, presented.session.id);
      const line = { action: 'session.reuse', target: user.id, result: 'REFRESH_TOKEN_INVALID' };
      const details = { sessionId: presented.session.id };
      if (revocation) await appendAudit(tx, { ...anonymous, requestId }, { ...line, details });
      return { result: tokenReused, revocation };
    }
    if (decision === 'rotate') {
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

const sessionEnded = refuse('REFRESH_TOKEN_INVALID', 'this sign-in has ended: sign in again');
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
    const ended = await store.revokeSession(tx, sessionId);
    const line = { action: 'sign_out', target: userId, result: 'ok', details: { sessionId } };
    if (ended) await appendAudit(tx, caller, line);
    return ended;
  });
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
