import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { syncFolder } from '../../lib/files.ts';
import { parseJsonObject, readTextIfAny, writePrivateFile } from '../files/files.ts';
import type { Outcome } from '../outcome.ts';
import type { StorageKind } from './storage.ts';

/**
 * Who is signed in where: nothing secret. It is stored with the tokens, in one write, and alone, as
 * a list of the accounts: that distinguishes one that was never signed in from one whose tokens the
 * keychain does not give. Where the two differ, that with the tokens holds.
 */
export type AccountRecord = {
  readonly profile: string;
  readonly server: string;
  readonly userId: string;
  readonly email: string | undefined;
  readonly role: string;
  readonly storage: StorageKind;
  /** Milliseconds since the epoch; absent where nothing ends it. */
  readonly sessionExpiresAtMs: number | undefined;
};

export type AccountRecords = {
  find(account: string): Promise<AccountRecord | undefined>;
  list(): Promise<readonly AccountRecord[]>;
  save(account: string, record: AccountRecord): Promise<Outcome<undefined>>;
  remove(account: string): Promise<void>;
};

/** The name of an account, in the keychain and for its record. */
export const accountOf = (profile: string, server: string): string => `${profile}@${server}`;

/** Records in a folder, one 0600 file each. */
export function openAccountRecords(dir: string): AccountRecords {
  const pathOf = (account: string): string => join(dir, `${encodeURIComponent(account)}.json`);
  return {
    find: async (account) => decodeRecord(await readTextIfAny(pathOf(account))),
    list: async () => {
      const names = await readdir(dir).catch(() => []);
      const files = names.filter((name) => name.endsWith('.json')).sort();
      const records = await Promise.all(
        files.map(async (name) => decodeRecord(await readTextIfAny(join(dir, name)))),
      );
      return records.filter((record) => record !== undefined);
    },
    save: (account, record) =>
      writePrivateFile(pathOf(account), `${JSON.stringify({ version: 1, ...record }, null, 2)}\n`),
    remove: async (account) => {
      await rm(pathOf(account), { force: true });
      await syncFolder(dir).catch(() => undefined);
    },
  };
}

function decodeRecord(text: string | undefined): AccountRecord | undefined {
  const value = text === undefined ? undefined : parseJsonObject(text);
  return value && toRecord(value);
}

/** A record from what was read as JSON, checked; undefined if it is none. */
export function toRecord(value: Readonly<Record<string, unknown>>): AccountRecord | undefined {
  const { profile, server, userId, email, role, storage, sessionExpiresAtMs } = value;
  const isComplete =
    typeof profile === 'string' && typeof server === 'string' && typeof userId === 'string';
  if (!isComplete || (storage !== 'keychain' && storage !== 'file')) return undefined;
  return {
    profile,
    server,
    userId,
    email: typeof email === 'string' ? email : undefined,
    role: typeof role === 'string' ? role : 'customer',
    storage,
    sessionExpiresAtMs: typeof sessionExpiresAtMs === 'number' ? sessionExpiresAtMs : undefined,
  };
}
