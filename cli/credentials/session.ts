import type { RefreshSessionResponse } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { toCliFailure, type CallResult } from '../rpc/errors.ts';
import { fail, succeed, type Outcome } from '../outcome.ts';
import { withLock } from '../files/lock.ts';
import type { AccountRecord, AccountRecords } from './records.ts';
import {
  decodeSecret,
  encodeSecret,
  type SecretStorage,
  type StorageKind,
  type StoredSecret,
} from './storage.ts';
import { secretOfTokens } from './tokens.ts';
import { nameRole } from '../../lib/json/names.ts';

/** What a call authenticates with, and what is known of its owner without asking. */
export type Credential = {
  readonly source: 'WALLET_TOKEN' | StorageKind;
  readonly token: string;
  /** Milliseconds since the epoch, where known. */
  readonly expiresAtMs: number | undefined;
  readonly sessionExpiresAtMs: number | undefined;
  readonly record: AccountRecord | undefined;
};

export type Credentials = {
  /** What is known without the keychain and the server: WALLET_TOKEN, or the signed-in user. */
  peek(): Promise<{ readonly token?: string; readonly record?: AccountRecord }>;
  /** The credential to use now, refreshed if it is about to end. */
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
  readonly records: AccountRecords;
  readonly storageOf: (kind: StorageKind) => SecretStorage;
  readonly lockDir: string;
  readonly lockWaitMs: number;
  readonly now: () => number;
  readonly refresh: (refreshToken: string) => Promise<Outcome<CallResult<RefreshSessionResponse>>>;
  readonly warn: (message: string) => Promise<void>;
};

/** An access token with less than this left is refreshed before it is used. */
const refreshMarginMs = 30_000;

/** The credentials of one account. WALLET_TOKEN overrides the stored ones, and is not refreshed. */
export function openCredentials(parts: CredentialParts): Credentials {
  let current: Credential | undefined;
  const remember = (loaded: Outcome<Credential>): Outcome<Credential> => {
    if (loaded.ok) current = loaded.value;
    return loaded;
  };
  return {
    peek: async () => {
      if (parts.token !== undefined) return { token: parts.token };
      const record = await parts.records.find(parts.account);
      return record ? { record } : {};
    },
    get: async () => {
      if (parts.token !== undefined) return succeed(fromEnvironment(parts.token));
      if (current && !isEnding(current, parts.now())) return succeed(current);
      const loaded = await loadStored(parts);
      if (!loaded.ok) return loaded;
      const { record, secret } = loaded.value;
      if (record.storage === 'file') await warnOfFile(parts);
      const credential = toCredential(record, secret);
      const canWait = !isEnding(credential, parts.now()) || secret.refreshToken === undefined;
      return remember(canWait ? succeed(credential) : await refreshStored(parts, credential.token));
    },
    renew: async (stale) => {
      if (stale.source === 'WALLET_TOKEN') return succeed(undefined);
      const loaded = await loadStored(parts);
      if (!loaded.ok) return loaded;
      if (loaded.value.secret.refreshToken === undefined) return succeed(undefined);
      return remember(await refreshStored(parts, stale.token));
    },
  };
}

/** The record and the secret of an account, or why there is none to use. */
export async function loadStored(
  parts: Pick<CredentialParts, 'account' | 'records' | 'storageOf'>,
): Promise<Outcome<{ readonly record: AccountRecord; readonly secret: StoredSecret }>> {
  const record = await parts.records.find(parts.account);
  if (!record) {
    return fail('SIGN_IN_REQUIRED', `not signed in as ${parts.account}`, {
      hint: 'wallet sign-in',
    });
  }
  const loaded = await parts.storageOf(record.storage).load(parts.account);
  if (!loaded.ok) return loaded;
  const secret = loaded.value === undefined ? undefined : decodeSecret(loaded.value);
  if (secret) return succeed({ record, secret });
  const who = record.email ?? record.userId;
  return record.storage === 'keychain'
    ? fail(
        'KEYCHAIN_LOCKED',
        `${who} signed in as ${parts.account}, but the keychain did not return the token: ` +
          'it is locked, or the token was removed from it',
        { hint: 'unlock the keychain and run the command again, or: wallet sign-in' },
      )
    : fail('SIGN_IN_REQUIRED', `the stored token of ${who} (${parts.account}) is missing`, {
        hint: 'wallet sign-in --insecure-storage',
      });
}

/** Refreshes under a lock, unless another process did so while this one waited. */
function refreshStored(parts: CredentialParts, staleToken: string): Promise<Outcome<Credential>> {
  const lockName = encodeURIComponent(parts.account);
  return withLock(parts.lockDir, lockName, parts.lockWaitMs, async () => {
    const loaded = await loadStored(parts);
    if (!loaded.ok) return loaded;
    const { record, secret } = loaded.value;
    if (secret.accessToken !== staleToken || secret.refreshToken === undefined) {
      return succeed(toCredential(record, secret));
    }
    const refreshed = await parts.refresh(secret.refreshToken);
    if (!refreshed.ok) return refreshed;
    if (!refreshed.value.ok) return explainFailedRefresh(parts, record, refreshed.value);
    const { tokens, user } = refreshed.value.value;
    if (!tokens) return fail('UNEXPECTED', 'the server refreshed the session without a token');
    const next = secretOfTokens(tokens);
    const saved = await parts.storageOf(record.storage).save(parts.account, encodeSecret(next));
    if (!saved.ok) {
      await parts.warn(`the refreshed session cannot be stored: ${saved.failure.message}`);
    }
    const nextRecord = {
      ...record,
      email: user?.email ?? record.email,
      role: user ? nameRole(user.role) : record.role,
      sessionExpiresAtMs: next.sessionExpiresAtMs,
    };
    await parts.records.save(parts.account, nextRecord);
    return succeed(toCredential(nextRecord, next));
  });
}

function explainFailedRefresh(
  parts: CredentialParts,
  record: AccountRecord,
  result: Extract<CallResult<unknown>, { ok: false }>,
): Outcome<Credential> {
  const failure = toCliFailure(result.failure, 'read');
  if (failure.exitCode !== 4) return { ok: false, failure };
  const who = record.email ?? record.userId;
  return {
    ok: false,
    failure: {
      ...failure,
      message: `the session of ${who} (${parts.account}) has ended: ${failure.message}`,
      hint: 'wallet sign-in',
    },
  };
}

function warnOfFile(parts: CredentialParts): Promise<void> {
  return parts.warn(
    'the token is stored in a plain file, not in the keychain (--insecure-storage)',
  );
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

function toCredential(record: AccountRecord, secret: StoredSecret): Credential {
  return {
    source: record.storage,
    token: secret.accessToken,
    expiresAtMs: secret.accessTokenExpiresAtMs,
    sessionExpiresAtMs: secret.sessionExpiresAtMs,
    record,
  };
}
