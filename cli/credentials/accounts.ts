import { join } from 'node:path';

import { fail, succeed, type Outcome } from '../outcome.ts';
import { parseJsonObject, type Room } from '../files/files.ts';
import { withLock } from '../files/lock.ts';
import { accountOf, openAccountRecords, toRecord, type AccountRecord } from './records.ts';
import type { SecretStorage, StorageKind, StoredSecret } from './storage.ts';
import { readSubject } from './tokens.ts';

/** A sign-in as it is stored: who, and the tokens. */
export type StoredAccount = { readonly record: AccountRecord; readonly secret: StoredSecret };

const held = Symbol('the credential lock of an account is held');

/** Proof that the lock of an account is held: only `withAccountLock` makes one. */
export type AccountLock = { readonly [held]: true; readonly account: string };

/** All sign-ins of this machine. What changes one needs its lock. */
export type Accounts = {
  /** Who is signed in, by the list of accounts: not for decisions about money. */
  find(account: string): Promise<AccountRecord | undefined>;
  list(): Promise<readonly AccountRecord[]>;
  /** Undefined where nobody is signed in; a failure where the tokens are not to be had. */
  load(account: string): Promise<Outcome<StoredAccount | undefined>>;
  /** Runs `work` while no other process changes the account. */
  withAccountLock<T>(
    account: string,
    work: (lock: AccountLock) => Promise<Outcome<T>>,
    /** What has not happened where the lock cannot be written; default: nothing was sent. */
    consequence?: string,
  ): Promise<Outcome<T>>;
  /** Makes sure that `writeAccount` can write, before anything is spent for what it shall write. */
  reserve(lock: AccountLock, kind: StorageKind): Promise<Outcome<Room>>;
  /**
   * Stores a sign-in: record and tokens in one write. With `replaces`, only in place of these
   * tokens; false where the account has others by now, and nothing was written.
   */
  writeAccount(
    lock: AccountLock,
    next: StoredAccount,
    options?: { readonly replaces?: StoredSecret; readonly room?: Room },
  ): Promise<Outcome<boolean>>;
  removeAccount(lock: AccountLock): Promise<Outcome<undefined>>;
};

export type AccountsParts = {
  readonly configDir: string;
  readonly stateDir: string;
  readonly lockWaitMs: number;
  readonly storageOf: (kind: StorageKind) => SecretStorage;
};

/** Where the list of the accounts is, without their tokens. */
export const recordsDir = (configDir: string): string => join(configDir, 'accounts');

/** The accounts below a configuration folder. */
export function openAccounts(parts: AccountsParts): Accounts {
  const { storageOf, lockWaitMs } = parts;
  const records = openAccountRecords(recordsDir(parts.configDir));
  const lockDir = join(parts.stateDir, 'locks');
  const load = async (account: string): Promise<Outcome<StoredAccount | undefined>> => {
    const record = await records.find(account);
    return record ? loadSecret(storageOf(record.storage), account, record) : succeed(undefined);
  };
  return {
    find: records.find,
    list: records.list,
    load,
    withAccountLock: (account, work, consequence) =>
      withLock(
        lockDir,
        encodeURIComponent(account),
        lockWaitMs,
        () => work({ [held]: true, account }),
        consequence,
      ),
    reserve: async ({ account }, kind) => {
      const stored = await load(account);
      const now = stored.ok ? stored.value : undefined;
      const current = now?.record.storage === kind ? encodeAccount(now) : undefined;
      return storageOf(kind).reserve(account, current);
    },
    writeAccount: async ({ account }, next, { replaces, room } = {}) => {
      const previous = await records.find(account);
      if (replaces && !(await isStored(load(account), replaces))) {
        await room?.release();
        return succeed(false);
      }
      const storage = storageOf(next.record.storage);
      const text = encodeAccount(next);
      const saved = await (room ? room.commit(text) : storage.save(account, text));
      if (!saved.ok) return saved;
      const isListed = previous?.storage === next.record.storage;
      const listed = await records.save(account, next.record);
      if (!listed.ok && !isListed) {
        await storage.remove(account);
        return listed;
      }
      if (previous && !isListed) await storageOf(previous.storage).remove(account);
      return succeed(true);
    },
    removeAccount: async ({ account }) => {
      const record = await records.find(account);
      const removed = record ? await storageOf(record.storage).remove(account) : succeed(undefined);
      if (removed.ok) await records.remove(account);
      return removed;
    },
  };
}

async function isStored(
  loading: Promise<Outcome<StoredAccount | undefined>>,
  { accessToken }: StoredSecret,
): Promise<boolean> {
  const stored = await loading;
  return stored.ok && stored.value?.secret.accessToken === accessToken;
}

async function loadSecret(
  storage: SecretStorage,
  account: string,
  record: AccountRecord,
): Promise<Outcome<StoredAccount>> {
  const loaded = await storage.load(account);
  if (!loaded.ok) return loaded;
  const stored = loaded.value === undefined ? undefined : decodeAccount(loaded.value, account);
  if (stored) return succeed({ ...stored, record: { ...stored.record, storage: storage.kind } });
  const who = record.email ?? record.userId;
  return record.storage === 'keychain'
    ? fail(
        'KEYCHAIN_LOCKED',
        `${who} signed in as ${account}, but the keychain did not return the token: ` +
          'it is locked, or the token was removed from it',
        { hint: 'unlock the keychain and run the command again, or: wallet sign-in' },
      )
    : fail('SIGN_IN_REQUIRED', `the stored token of ${who} (${account}) is missing`, {
        hint: 'wallet sign-in --insecure-storage',
      });
}

function encodeAccount({ record, secret }: StoredAccount): string {
  return JSON.stringify({ version: 2, record, secret });
}

/** Undefined if the text is not one that `encodeAccount` wrote for this account. */
function decodeAccount(text: string, account: string): StoredAccount | undefined {
  const value = parseJsonObject(text);
  if (value?.['version'] !== 2) return undefined;
  const record = toRecord(toObject(value['record']));
  const secret = toSecret(toObject(value['secret']));
  if (!record || !secret || accountOf(record.profile, record.server) !== account) return undefined;
  const subject = readSubject(secret.accessToken);
  return subject === undefined || subject === record.userId ? { record, secret } : undefined;
}

const toObject = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

function toSecret(value: Readonly<Record<string, unknown>>): StoredSecret | undefined {
  const { accessToken, refreshToken } = value;
  if (typeof accessToken !== 'string') return undefined;
  const timeOf = (time: unknown): number | undefined =>
    typeof time === 'number' ? time : undefined;
  return {
    accessToken,
    accessTokenExpiresAtMs: timeOf(value['accessTokenExpiresAtMs']),
    refreshToken: typeof refreshToken === 'string' ? refreshToken : undefined,
    sessionExpiresAtMs: timeOf(value['sessionExpiresAtMs']),
  };
}
