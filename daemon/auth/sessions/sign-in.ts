import { randomUUID } from 'node:crypto';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { readClock, type Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { findDevice, issueDeviceToken } from './device-tokens.ts';
import { canonicalizeEmail, normalizePassword, sessionLifeMs, type User } from '../domain.ts';
import { browserIdleMs, browserLifeMs } from './browser-domain.ts';
import { endExcessSessions } from './session-cap.ts';
import { signTokens, type SessionOptions, type SignedIn } from './sessions.ts';
import {
  createBrowserToken,
  createRefreshToken,
  hashBrowserToken,
  hashRefreshToken,
} from './signing-keys.ts';
import * as store from '../store.ts';
import type { Attempted, Throttle } from '../throttling/throttle.ts';
import { fairCallerOf, type FairCaller } from '../throttling/fair-caller.ts';
import type { Passed } from '../totp/second-factor.ts';

type SignInInput = {
  readonly email: string;
  readonly password: string;
  readonly client: string;
  readonly deviceToken: string;
  readonly totpCode?: string | undefined;
  /** For a browser session. */
  readonly browser?: boolean | undefined;
  readonly caller: Pick<
    CallContext,
    'requestId' | 'source' | 'deadlineMs' | 'isCancelled' | 'pause'
  >;
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
  const email = canonicalizeEmail(input.email);
  const address = email.ok ? email.value : undefined;
  const account = address ?? input.email;
  const fairCaller = fairCallerOf(input.caller, account);
  const { bucketOf, guard } = options.throttle;
  const deviceId = await findDevice(options, input.deviceToken, address);
  const known = { fairCaller, isKnownDevice: deviceId !== undefined };
  const successes = [bucketOf.successesOf(account), bucketOf.successesFrom(input.caller.source)];
  const work = async (): Promise<Attempted<SignedIn>> => {
    const attempted = await trySignIn(options, address, input, known);
    // Once more if the password was changed, or its hash renewed, while this one was checked.
    return attempted ?? (await trySignIn(options, address, input, known)) ?? failed;
  };
  const buckets = bucketsOf(options.throttle, account, input.caller.source, deviceId);
  return guard(buckets, work, { fairCaller, successes });
}

/** From the narrowest group to the widest; a known device stays clear of the guesses of others. */
function bucketsOf(
  { bucketOf }: Throttle,
  account: string,
  source: string,
  deviceId: string | undefined,
) {
  return deviceId === undefined
    ? [
        bucketOf.pair(account, source),
        bucketOf.firstTries(account),
        bucketOf.furtherTries(account),
        bucketOf.signInsFrom(source),
      ]
    : [bucketOf.device(deviceId), bucketOf.devicesOf(account), bucketOf.devicesFrom(source)];
}

const failed = {
  outcome: 'failed' as const,
  result: refuse('CREDENTIALS_INVALID', 'e-mail or password is not right'),
};

const unverified = {
  // Counted: a sign-up with another user's address must not clear what was counted for it.
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
  {
    fairCaller,
    isKnownDevice,
  }: { readonly fairCaller: FairCaller; readonly isKnownDevice: boolean },
): Promise<Attempted<SignedIn> | undefined> {
  const { db, passwords, revocations } = options;
  const found =
    address === undefined ? undefined : await db.read((tx) => store.findCredentials(tx, address));
  const normalized = normalizePassword(input.password);
  const password = normalized ?? '';
  const account = found?.account;
  const verified = await passwords.verify(
    normalized === undefined ? undefined : account?.passwordHash,
    password,
    fairCaller,
  );
  if (!verified.ok) return { outcome: 'void', result: verified };
  if (!account || !verified.value.isMatch || account.user.isDisabled) {
    return checkPending(options, found?.pendingHash, normalized, fairCaller);
  }
  const { user, passwordHash } = account;
  const newHash = verified.value.isOutdated
    ? await passwords.hash(password, fairCaller)
    : undefined;
  const { ended, signedIn } = await db.tx(async (tx) => {
    if (newHash?.ok) await store.setPasswordHash(tx, user.id, newHash.value, passwordHash);
    const provenHashes = [passwordHash, ...(newHash?.ok ? [newHash.value] : [])];
    const signedIn = await openSession(tx, options, { userId: user.id, provenHashes }, input);
    if (typeof signedIn === 'string' || !signedIn.ok) return { signedIn, ended: [] };
    const opened = { userId: user.id, sessionId: signedIn.value.tokens.sessionId };
    const principal = { kind: 'user', ...opened, role: user.role, apiKey: undefined } as const;
    const { requestId } = input.caller;
    const ended = await endExcessSessions(tx, { principal, requestId }, opened);
    const deviceToken = isKnownDevice
      ? input.deviceToken
      : await introduceDevice(tx, options, signedIn.value.user, input);
    return { signedIn: succeed({ ...signedIn.value, deviceToken }), ended };
  });
  ended.forEach((revocation) => revocations.apply(revocation));
  if (signedIn === 'disabled') return failed;
  if (signedIn === 'changed') return undefined;
  // The password was right: a missing or wrong code is no guess at it.
  return { outcome: 'passed', result: signedIn };
}

/** Reports a new device to the owner of the account, and gives it a token to be known by. */
async function introduceDevice(
  tx: Tx,
  { devices, notices }: SessionOptions,
  user: User,
  { client, caller: { source } }: SignInInput,
): Promise<string> {
  await notices.notifyOwner(tx, user, { kind: 'new-device', source, client });
  return issueDeviceToken(tx, devices, user);
}

/** The same for every address, whether or not it has an account: a sign-up must not tell. */
async function checkPending(
  { passwords }: SessionOptions,
  pendingHash: string | undefined,
  password: string | undefined,
  fairCaller: FairCaller,
): Promise<Attempted<SignedIn>> {
  if (pendingHash === undefined || password === undefined) return failed;
  const verified = await passwords.verify(pendingHash, password, fairCaller);
  if (!verified.ok) return { outcome: 'void', result: verified };
  return verified.value.isMatch ? unverified : failed;
}

/**
 * Opens a session for a user as they are now, not as they were when the password was looked at:
 * checking that takes a while, and the role, the password or the account may have changed.
 */
async function openSession(
  tx: Tx,
  options: SessionOptions,
  proven: { readonly userId: string; readonly provenHashes: readonly string[] },
  input: SignInInput,
): Promise<Result<SignedIn> | 'disabled' | 'changed'> {
  const held = await store.lockForSession(tx, proven.userId);
  if (!held || held.user.isDisabled) return 'disabled';
  if (!proven.provenHashes.includes(held.passwordHash)) return 'changed';
  const { user } = held;
  const checked = await checkSecondFactor(tx, options, user, input);
  if (!checked.ok) return checked;
  const session = {
    id: randomUUID(),
    userId: user.id,
    // Only shown in lists: what cannot be stored is left out rather than refused.
    client: input.client.replace(/[^\p{L}\p{N}\p{P}\p{Zs}]/gu, '').slice(0, maxClientLength),
  };
  const opened =
    input.browser === true
      ? await insertBrowserSession(tx, session)
      : await insertTokenSession(tx, options, user, session);
  return succeed({ user, ...opened, ...checked.value });
}

type NewSession = { readonly id: string; readonly userId: string; readonly client: string };
type Opened = Pick<SignedIn, 'tokens' | 'browserToken'>;

async function insertTokenSession(
  tx: Tx,
  { keys }: SessionOptions,
  user: User,
  session: NewSession,
): Promise<Opened> {
  const nowMs = await readClock(tx);
  const expiresAtMs = nowMs + sessionLifeMs;
  const refreshToken = createRefreshToken();
  await store.insertSession(tx, { ...session, expiresAtMs, browserTokenHash: undefined });
  await store.insertRefreshToken(tx, hashRefreshToken(refreshToken), session.id);
  const { id } = session;
  return { tokens: await signTokens(keys, user, { id, expiresAtMs }, refreshToken, nowMs) };
}

/** Its token is always a new one: none that a client brings becomes that of a session. */
async function insertBrowserSession(tx: Tx, session: NewSession): Promise<Opened> {
  const nowMs = await readClock(tx);
  const browserToken = createBrowserToken();
  const browserTokenHash = hashBrowserToken(browserToken);
  const expiresAtMs = nowMs + browserIdleMs;
  await store.insertSession(tx, { ...session, expiresAtMs, browserTokenHash });
  const tokens = {
    accessToken: '',
    accessTokenExpiresAt: undefined,
    refreshToken: '',
    sessionExpiresAt: new Date(nowMs + browserLifeMs),
    sessionId: session.id,
  };
  return { tokens, browserToken };
}

/** The step between the password and the session; nothing for users without a second factor. */
async function checkSecondFactor(
  tx: Tx,
  { secondFactor }: SessionOptions,
  user: User,
  { totpCode = '', caller: { requestId, source } }: SignInInput,
): Promise<Result<Passed>> {
  if (!user.hasTotp) return succeed({});
  const attempt = { actor: { ...anonymous, requestId }, details: { source } };
  return secondFactor.check(tx, user.id, totpCode, attempt);
}
