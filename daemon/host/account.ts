import { access } from 'node:fs/promises';
import { constants } from 'node:fs';

import type { SecretReader } from '../../core/secret-file.ts';
import type { Config } from '../config/config.ts';
import {
  ensureSystemUser,
  findGroups,
  findUser,
  systemUserName,
  type SystemUser,
} from '../embedded/system-user.ts';
import type { Outcome } from '../fault.ts';

/** The unprivileged user that a daemon becomes which was started as root. */
export type Account = SystemUser;

/** Missing in the types of Node. */
type WithGroups = NodeJS.Process & { initgroups(user: string, extraGroup: number): void };

const isRoot = (): boolean => process.geteuid?.() === 0;

/**
 * Which user a daemon or command that root started works as: that of WALLETD_USER, by default
 * `digital-wallet`, which is created if absent. Null where the process is not root, or is to stay.
 */
export async function chooseAccount({
  user,
}: Pick<Config, 'user'>): Promise<Outcome<Account | null>> {
  if (!isRoot()) {
    if (user === undefined || (await findUser(user))?.uid === process.geteuid?.()) {
      return { ok: true, value: null };
    }
    const uid = process.geteuid?.() ?? -1;
    return fault(
      `WALLETD_USER: only root can become another user, and this process has the user id ${uid}`,
      `start walletd as root or as ${user}, or leave the setting out`,
    );
  }
  if (user === 'root') return { ok: true, value: null };
  if (user === undefined) {
    const made = await ensureSystemUser();
    if (made.ok) return made;
    const { fault: what, hint } = made.fault;
    return fault(
      what,
      `${hint} Or name another user with WALLETD_USER, or allow root: WALLETD_USER=root`,
    );
  }
  const found = await findUser(user);
  if (found === null) {
    return fault(
      `WALLETD_USER: there is no user ${JSON.stringify(user)} on this host`,
      'create it with useradd --system, or leave the setting out',
    );
  }
  if (found.uid !== 0 && found.gid !== 0) return { ok: true, value: found };
  return fault(
    `WALLETD_USER: ${user} has the user or group id of root`,
    'name a user with ids of its own, or write root to keep all rights',
  );
}

/**
 * Gives up root's rights permanently: groups, group and user, saved ids included. Fails where the
 * system refuses, or where anything of root's is left.
 */
export function becomeAccount(account: Account): Outcome<null> {
  try {
    (process as WithGroups).initgroups(account.name, account.gid);
    process.setgid?.(account.gid);
    process.setuid?.(account.uid);
  } catch (err) {
    const why = err instanceof Error ? err.message : String(err);
    return fault(
      `cannot become the user ${account.name}: ${why}`,
      'start walletd as an ordinary user, or allow it to run as root: WALLETD_USER=root',
    );
  }
  const ids = [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()];
  const isKept = ids.includes(0) || (process.getgroups?.() ?? []).includes(0) || canRegain();
  if (!isKept) return { ok: true, value: null };
  return fault(
    `the user ${account.name} still has rights of root`,
    'take it out of the group root, or start walletd as an ordinary user',
  );
}

function canRegain(): boolean {
  try {
    process.seteuid?.(0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Who may own the secrets of this process, and which groups it is in; for root, its account's too.
 */
export async function findSecretReader({ user }: Pick<Config, 'user'>): Promise<SecretReader> {
  const uids = [0, process.geteuid?.() ?? 0];
  const gids = [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])];
  if (!isRoot() || user === 'root') return { uids, gids };
  const account = await findUser(user ?? systemUserName);
  if (account === null) return { uids, gids };
  return {
    uids: [...uids, account.uid],
    // It leaves root's groups.
    gids: [account.gid, ...(await findGroups(account.name))],
  };
}

/** The first of the files that this process may not read. */
export async function findUnreadable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const isReadable = await access(path, constants.R_OK).then(
      () => true,
      () => false,
    );
    if (!isReadable) return path;
  }
  return undefined;
}

const fault = (what: string, hint: string): Outcome<never> => ({
  ok: false,
  fault: { fault: what, hint },
});
