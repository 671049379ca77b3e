import { createHash } from 'node:crypto';
import { readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { syncFolder } from '../../lib/files.ts';
import { isUuid } from '../../core/ids.ts';
import { succeed, type Outcome } from '../outcome.ts';
import { makePrivateDir, readTextIfAny, parseJsonObject, writePrivateFile } from './files.ts';
import { notSent, tryStorage } from './storage-failure.ts';
import {
  findLiveness,
  identifyOwnProcess,
  type ProcessIdentity,
} from '../../lib/process-identity.ts';

/**
 * Commands that were sent and whose outcome is unknown, each with its idempotency key. The folder
 * of a command is named by a hash of it, a file in it by the key. While a process works on a key,
 * the file's name has the identity of the process; only one process wins the rename of a takeover.
 */
export type PendingKeys = {
  /**
   * A key that an earlier run of the same command left behind, now taken over by this one: the
   * oldest, or the given one.
   */
  claim(command: CanonicalCommand, key?: string): Promise<Outcome<PendingKey | undefined>>;
  /** Whether the outcome of any command is unknown. */
  hasAny(): Promise<boolean>;
  /** A new key, on the disk before anything is sent. */
  add(command: CanonicalCommand, key: string): Promise<Outcome<PendingKey>>;
};

export type PendingKey = {
  readonly key: string;
  /** When the first run began, in milliseconds since the epoch; 0 if the file does not say it. */
  readonly createdAtMs: number;
  readonly isTakenOver: boolean;
  /** The outcome is known: the next run of the command is a new one. */
  forget(): Promise<void>;
  /** The outcome stays unknown: the next run of the command uses the key again. */
  keep(): Promise<void>;
};

/** What makes two commands the same one. Holds no secret; only its hash is stored. */
export type CanonicalCommand = {
  readonly profile: string;
  readonly server: string;
  /** Who asks. */
  readonly actor: string;
  /** The id of whose wallet it is; empty for the caller's own. */
  readonly user: string;
  readonly operation: string;
  readonly amountMinor: bigint | undefined;
  readonly currency: string;
  readonly parentId: string | undefined;
  readonly description: string | undefined;
  readonly merchant: string | undefined;
  /** The id of who is paid. */
  readonly to: string | undefined;
  readonly via: string | undefined;
  readonly reference: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** Of a hold: when it ends, as it was given. */
  readonly expiresInSeconds: number | undefined;
  readonly expiresAt: Date | undefined;
  /** Of a capture. */
  readonly keepsRest: boolean;
};

/** SHA-256, in hex, over a command's fields in a fixed order; an absent one differs from empty. */
export function hashCommand(command: CanonicalCommand): string {
  const fields: unknown[] = [
    1,
    command.profile,
    command.server,
    command.actor,
    command.user,
    command.operation,
    command.amountMinor?.toString() ?? null,
    command.currency,
    command.parentId ?? null,
    command.description ?? null,
    command.merchant ?? null,
  ];
  const { to, via, reference } = command;
  const pairs = Object.entries(command.metadata).sort(([one], [other]) => (one < other ? -1 : 1));
  const hasMore = to !== undefined || via !== undefined || reference !== undefined;
  // Where there is none of them, the hash is that of an older version of this program.
  if (hasMore || pairs.length > 0) fields.push(to ?? null, via ?? null, reference ?? null, pairs);
  const { expiresInSeconds, expiresAt, keepsRest } = command;
  if (expiresInSeconds !== undefined || expiresAt !== undefined || keepsRest) {
    fields.push({ expiresInSeconds, expiresAt, keepsRest });
  }
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex');
}

/** The pending keys in a folder. `now` is in milliseconds since the epoch. */
export function openPendingKeys(dir: string, now: () => number): PendingKeys {
  const dirOf = (command: CanonicalCommand): string => join(dir, hashCommand(command));
  return {
    claim: (command, key) =>
      tryStorage(dir, notSent, () => claimOldest(dirOf(command), key), 'read'),
    hasAny: async () => (await listNames(dir).catch(() => [])).length > 0,
    add: async (command, key) => {
      const path = join(dirOf(command), workedOnName(key, await identifyOwnProcess()));
      const createdAtMs = now();
      const text = JSON.stringify({ operation: command.operation, createdAtMs });
      const made = await makePrivateDir(dir, notSent);
      if (!made.ok) return made;
      const written = await writePrivateFile(path, `${text}\n`, notSent);
      if (!written.ok) return written;
      return succeed(toPendingKey(path, { key, createdAtMs, isTakenOver: false }));
    },
  };
}

async function claimOldest(
  dir: string,
  wanted: string | undefined,
): Promise<PendingKey | undefined> {
  const found: { name: string; key: string; createdAtMs: number }[] = [];
  for (const name of await listNames(dir)) {
    const key = await findFreeKey(name);
    if (key === undefined || (wanted !== undefined && key !== wanted)) continue;
    const text = await readTextIfAny(join(dir, name));
    const createdAtMs = parseJsonObject(text ?? '')?.['createdAtMs'];
    found.push({ name, key, createdAtMs: typeof createdAtMs === 'number' ? createdAtMs : 0 });
  }
  found.sort((a, b) => a.createdAtMs - b.createdAtMs);
  for (const { name, key, createdAtMs } of found) {
    const path = join(dir, workedOnName(key, await identifyOwnProcess()));
    try {
      await rename(join(dir, name), path);
    } catch {
      continue;
    }
    return toPendingKey(path, { key, createdAtMs, isTakenOver: true });
  }
  return undefined;
}

function toPendingKey(
  path: string,
  fields: Pick<PendingKey, 'key' | 'createdAtMs' | 'isTakenOver'>,
): PendingKey {
  const dir = join(path, '..');
  return {
    ...fields,
    forget: async () => {
      await rm(path, { force: true });
      await rmdir(dir).catch(() => undefined);
    },
    keep: async () => {
      // The folder may be gone with the user's state; the key has been shown all the same.
      await rename(path, join(dir, `${fields.key}.json`)).catch(() => undefined);
      await syncFolder(dir).catch(() => undefined);
    },
  };
}

/** `<key>.<pid>.<start>.<host in hex>.run`: the process that works on it. */
function workedOnName(key: string, { pid, startedAt, host }: ProcessIdentity): string {
  return `${key}.${pid}.${startedAt}.${Buffer.from(host).toString('hex')}.run`;
}

/** The key in a file's name, unless a process that may be alive works on it. */
async function findFreeKey(name: string): Promise<string | undefined> {
  if (name.endsWith('.json')) {
    const key = basename(name, '.json');
    return isUuid(key) ? key : undefined;
  }
  const [key = '', pid = '', start = '', host = '', ending] = name.split('.');
  if (ending !== 'run' || !isUuid(key)) return undefined;
  const hostname = Buffer.from(host, 'hex').toString();
  const identity = { pid: Number(pid), host: hostname, startedAt: start, bootId: '' };
  // If that is unknown, continue under the old key: it cannot pay twice.
  return (await findLiveness(identity)) === 'alive' ? undefined : key;
}

async function listNames(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}
