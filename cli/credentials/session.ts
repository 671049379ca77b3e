import type { RefreshSessionResponse } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { quoteForShell } from '../../core/shell-word.ts';
import { toCliFailure, type CallResult } from '../rpc/errors.ts';
import { fail, succeed, type Outcome } from '../outcome.ts';
import type { AccountLock, Accounts, StoredAccount } from './accounts.ts';
import type { AccountRecord } from './records.ts';
import type { StorageKind } from './storage.ts';
import { secretOfTokens } from './tokens.ts';
import { nameRole } from '../../lib/json/names.ts';

/** What a call authenticates with, and what is known of its owner without asking. */
export type Credential = {
  readonly source: 'WALLET_TOKEN' | StorageKind;
  readonly token: string;
  /** Milliseconds since the epoch, where known. */
  readonly expiresAtMs: number | undefined;
  readonly sessionExpiresAtMs: number | undefined;
  /** Whose token it is; absent for WALLET_TOKEN. */
  readonly record: AccountRecord | undefined;
};

export type Credentials = {
  /**
   * The credential to use now, refreshed if it is about to end. All that one command gets are of
   * the same user: after a sign-in of somebody else meanwhile, ACCOUNT_CHANGED.
   */
  get(): Promise<Outcome<Credential>>;
  /** A successor of one that the server no longer takes; undefined if it has none. */
  renew(stale: {
    readonly source: string;
    readonly token: string;
  }): Promise<Outcome<Credential | undefined>>;
};

export type CredentialParts = {
  readonly account: string;
  /** The content of WALLET_TOKEN. */
  readonly token: string | undefined;
  readonly accounts: Accounts;
  readonly now: () => number;
  readonly refresh: (refreshToken: string) => Promise<Outcome<CallResult<RefreshSessionResponse>>>;
  /** Whether the server can be reached: asked before a sign-in is suggested. */
  readonly checkServer: () => Promise<Outcome<undefined>>;
  readonly warn: (message: string) => Promise<void>;
};

/** An access token with less than this left is refreshed before it is used. */
const refreshMarginMs = 30_000;

/** The credentials of one account. WALLET_TOKEN overrides the stored ones, and is not refreshed. */
export function openCredentials(parts: CredentialParts): Credentials {
  let current: Credential | undefined;
  const remember = (loaded: Outcome<Credential>): Outcome<Credential> => {
    if (!loaded.ok) return loaded;
    const earlier = current?.record;
    const next = loaded.value.record;
    if (earlier && earlier.userId !== next?.userId)
      return failChanged(parts.account, earlier, next);
    current = loaded.value;
    return loaded;
  };
  return {
    get: async () => {
      if (parts.token !== undefined) return succeed(fromEnvironment(parts.token));
      if (current && !isEnding(current, parts.now())) return succeed(current);
      const loaded = await loadStored(parts);
      if (!loaded.ok) return loaded;
      const credential = toCredential(loaded.value);
      const isUsable = !isEnding(credential, parts.now());
      if (isUsable || loaded.value.secret.refreshToken === undefined) {
        return remember(succeed(credential));
      }
      const refreshed = await refreshStored(parts, credential.token);
      // What cannot be refreshed now, for instance on a full disk, may do for one more call.
      const isValid = (credential.expiresAtMs ?? 0) > parts.now();
      return remember(!refreshed.ok && isValid ? succeed(credential) : refreshed);
    },
    renew: async (stale) => {
      if (stale.source === 'WALLET_TOKEN') return succeed(undefined);
      const loaded = await loadStored(parts);
      if (!loaded.ok) return loaded;
      if (loaded.value.secret.refreshToken === undefined) return succeed(undefined);
      return remember(await refreshStored(parts, stale.token, 'nothing was done'));
    },
  };
}

/** The record and the secret of an account, or why there is none to use. */
async function loadStored(
  parts: Pick<CredentialParts, 'account' | 'accounts' | 'checkServer'>,
): Promise<Outcome<StoredAccount>> {
  const loaded = await parts.accounts.load(parts.account);
  if (!loaded.ok) return loaded;
  if (loaded.value) return succeed(loaded.value);
  const reached = await parts.checkServer();
  if (!reached.ok) return reached;
  return fail('SIGN_IN_REQUIRED', `not signed in as ${parts.account}`, { hint: 'wallet sign-in' });
}

/** Refreshes under the lock, unless another process did so while this one waited. */
function refreshStored(
  parts: CredentialParts,
  staleToken: string,
  consequence?: string,
): Promise<Outcome<Credential>> {
  const refresh = async (lock: AccountLock): Promise<Outcome<Credential>> => {
    const loaded = await loadStored(parts);
    if (!loaded.ok) return loaded;
    const stored = loaded.value;
    const { accessToken, refreshToken } = stored.secret;
    if (accessToken !== staleToken || refreshToken === undefined) {
      return succeed(toCredential(stored));
    }
    return refreshUnderLock(parts, lock, stored, refreshToken);
  };
  return parts.accounts.withAccountLock(parts.account, refresh, consequence);
}

/**
 * A refresh token can be used once: room for its successor is made before. Where somebody signed in
 * meanwhile (a lock that was lost), the new tokens are dropped, and what is stored holds.
 */
async function refreshUnderLock(
  parts: CredentialParts,
  lock: AccountLock,
  stored: StoredAccount,
  refreshToken: string,
): Promise<Outcome<Credential>> {
  const { record, secret } = stored;
  const room = await parts.accounts.reserve(lock, record.storage);
  if (!room.ok) return room;
  const refreshed = await parts.refresh(refreshToken);
  const tokens = refreshed.ok && refreshed.value.ok ? refreshed.value.value.tokens : undefined;
  if (!tokens) await room.value.release();
  if (!refreshed.ok) return refreshed;
  if (!refreshed.value.ok) return explainFailedRefresh(parts, record, refreshed.value);
  if (!tokens) return fail('UNEXPECTED', 'the server refreshed the session without a token');
  const { user } = refreshed.value.value;
  const next = secretOfTokens(tokens);
  const nextRecord = {
    ...record,
    email: user?.email ?? record.email,
    role: user ? nameRole(user.role) : record.role,
    sessionExpiresAtMs: next.sessionExpiresAtMs,
  };
  const written = await parts.accounts.writeAccount(
    lock,
    { record: nextRecord, secret: next },
    { replaces: secret, room: room.value },
  );
  if (!written.ok) {
    await parts.warn(
      `the refreshed session cannot be stored, so that the next command needs a sign-in: ` +
        written.failure.message,
    );
  } else if (!written.value) {
    const other = await loadStored(parts);
    return other.ok ? succeed(toCredential(other.value)) : other;
  }
  return succeed(toCredential({ record: nextRecord, secret: next }));
}

function failChanged(
  account: string,
  earlier: AccountRecord,
  next: AccountRecord | undefined,
): Outcome<never> {
  const nameOf = (record: AccountRecord | undefined): string =>
    record?.email ?? record?.userId ?? 'somebody else';
  return fail(
    'ACCOUNT_CHANGED',
    `${nameOf(next)} signed in as ${account} while this command ran as ${nameOf(earlier)}; ` +
      'nothing was sent as the other user',
    { hint: 'check who is signed in with wallet whoami, then run the command again' },
  );
}

function explainFailedRefresh(
  parts: CredentialParts,
  record: AccountRecord,
  result: Extract<CallResult<unknown>, { ok: false }>,
): Outcome<Credential> {
  const failure = toCliFailure(result.failure, 'read');
  if (failure.exitCode !== 4) return { ok: false, failure };
  const who = record.email ?? record.userId;
  const email = record.email === undefined ? '' : ` --email ${quoteForShell(record.email)}`;
  return {
    ok: false,
    failure: {
      ...failure,
      message: `the session of ${who} (${parts.account}) has ended: ${failure.message}`,
      hint: `wallet sign-in${email}`,
    },
  };
}

function isEnding(credential: Credential, nowMs: number): boolean {
  return credential.expiresAtMs !== undefined && credential.expiresAtMs - nowMs < refreshMarginMs;
}

function fromEnvironment(token: string): Credential {
  return {
    source: 'WALLET_TOKEN',
    token,
    expiresAtMs: undefined,
    sessionExpiresAtMs: undefined,
    record: undefined,
  };
}

function toCredential({ record, secret }: StoredAccount): Credential {
  return {
    source: record.storage,
    token: secret.accessToken,
    expiresAtMs: secret.accessTokenExpiresAtMs,
    sessionExpiresAtMs: secret.sessionExpiresAtMs,
    record,
  };
}
