import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { notSent, tryStorage } from '../files/storage-failure.ts';
import { succeed, type Outcome } from '../outcome.ts';
import type { AccountLock, Accounts, StoredAccount } from './accounts.ts';
import { accountOf, type AccountRecord } from './records.ts';

export type ProfileAccountsParts = {
  readonly accounts: Accounts;
  readonly configDir: string;
};

/** Folders with a file for each account, beside those of its sign-in. */
const tokenFolders = ['devices', 'sign-ups'];

/** The sign-ins of a profile, on all servers. */
export async function listProfileAccounts(
  accounts: Accounts,
  profile: string,
): Promise<readonly AccountRecord[]> {
  return (await accounts.list()).filter((record) => record.profile === profile);
}

/**
 * Gives the sign-ins of a profile to another name: all of them, or none where one cannot be read
 * or written. `rename` renames the profile itself, in between. No other process changes them
 * meanwhile.
 */
export async function moveProfileAccounts(
  { accounts, configDir }: ProfileAccountsParts,
  [from, to]: readonly [from: string, to: string],
  renameProfile: () => Promise<Outcome<undefined>>,
): Promise<Outcome<undefined>> {
  const records = await listProfileAccounts(accounts, from);
  const names = records.flatMap(({ server }) => [accountOf(from, server), accountOf(to, server)]);
  return withLocks(accounts, names, async (locks) => {
    const stored: StoredAccount[] = [];
    for (const { server } of records) {
      const loaded = await accounts.load(accountOf(from, server));
      if (!loaded.ok) return loaded;
      if (loaded.value) stored.push(loaded.value);
    }
    const lockOf = (profile: string, { record }: StoredAccount): AccountLock =>
      findLock(locks, accountOf(profile, record.server));
    const written: AccountLock[] = [];
    const undo = async <T>(failed: Outcome<T>): Promise<Outcome<T>> => {
      for (const lock of written) await accounts.removeAccount(lock);
      return failed;
    };
    for (const each of stored) {
      const lock = lockOf(to, each);
      written.push(lock);
      const next = { ...each, record: { ...each.record, profile: to } };
      const saved = await accounts.writeAccount(lock, next);
      if (!saved.ok) return undo(saved);
    }
    const renamed = await renameProfile();
    if (!renamed.ok) return undo(renamed);
    for (const each of stored) {
      const removed = await accounts.removeAccount(lockOf(from, each));
      if (!removed.ok) return removed;
    }
    return changeTokenFiles(configDir, from, (path, folder, server) =>
      rename(path, join(folder, fileOf(accountOf(to, server)))),
    );
  });
}

/** Removes what is stored of a profile's sign-ins. Ends no session. */
export async function removeProfileAccounts(
  { accounts, configDir }: ProfileAccountsParts,
  profile: string,
): Promise<Outcome<undefined>> {
  for (const { server } of await listProfileAccounts(accounts, profile)) {
    const account = accountOf(profile, server);
    const removed = await accounts.withAccountLock(account, (lock) => accounts.removeAccount(lock));
    if (!removed.ok) return removed;
  }
  return changeTokenFiles(configDir, profile, (path) => rm(path, { force: true }));
}

/** Takes the locks of several accounts, in an order that all processes keep. */
function withLocks<T>(
  accounts: Accounts,
  names: readonly string[],
  work: (locks: readonly AccountLock[]) => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const sorted = [...names].sort();
  const takeNext = (locks: readonly AccountLock[]): Promise<Outcome<T>> => {
    const name = sorted[locks.length];
    if (name === undefined) return work(locks);
    return accounts.withAccountLock(name, (lock) => takeNext([...locks, lock]));
  };
  return takeNext([]);
}

function findLock(locks: readonly AccountLock[], account: string): AccountLock {
  const found = locks.find((lock) => lock.account === account);
  if (!found) throw new Error(`the lock of ${account} is not held`);
  return found;
}

const fileOf = (account: string): string => `${encodeURIComponent(account)}.json`;

async function changeTokenFiles(
  configDir: string,
  profile: string,
  change: (path: string, folder: string, server: string) => Promise<void>,
): Promise<Outcome<undefined>> {
  const beginning = encodeURIComponent(accountOf(profile, ''));
  for (const name of tokenFolders) {
    const folder = join(configDir, name);
    const files = (await readdir(folder).catch(() => [])).filter(
      (file) => file.startsWith(beginning) && file.endsWith('.json'),
    );
    for (const file of files) {
      const path = join(folder, file);
      const server = decodeURIComponent(file.slice(beginning.length, -'.json'.length));
      const changed = await tryStorage(path, notSent, () => change(path, folder, server));
      if (!changed.ok) return changed;
    }
  }
  return succeed(undefined);
}
