import { createHash } from 'node:crypto';
import { readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { isUuid } from '../../core/ids.ts';
import {
  makePrivateDir,
  readTextIfAny,
  parseJsonObject,
  syncDir,
  writePrivateFile,
} from './files.ts';
import { findLiveness, ownIdentity, type ProcessIdentity } from '../../lib/process-identity.ts';

/**
 * Commands that were sent and whose outcome is unknown, each with its idempotency key. The
 * folder of a command is named by a hash of it, a file in it by the key. While a process works on
 * one, the file's name says which; taking one over is a rename, which only one process can win.
 */
export type PendingKeys = {
  /** A key that an earlier run of the same command left behind, now taken over by this one. */
  claim(command: CanonicalCommand): Promise<PendingKey | undefined>;
  /** Whether any command at all waits for its outcome. */
  hasAny(): Promise<boolean>;
  /** A new key, on the disk before anything is sent. */
  add(command: CanonicalCommand, key: string): Promise<PendingKey>;
};

export type PendingKey = {
  readonly key: string;
  /** When the first run began, in milliseconds since the epoch. */
  readonly createdAtMs: number;
  readonly isTakenOver: boolean;
  /** The outcome is known: the next run of the command is a new one. */
  forget(): Promise<void>;
  /** The outcome stays unknown: the next run of the command goes on under the key. */
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
};

/** SHA-256, in hex, over a command's fields in a fixed order; an absent one differs from empty. */
export function hashCommand(command: CanonicalCommand): string {
  const fields = [
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
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex');
}

/** The pending keys in a folder. `now` is in milliseconds since the epoch. */
export function openPendingKeys(dir: string, now: () => number): PendingKeys {
  const dirOf = (command: CanonicalCommand): string => join(dir, hashCommand(command));
  return {
    claim: (command) => claimOldest(dirOf(command)),
    hasAny: async () => (await listNames(dir)).length > 0,
    add: async (command, key) => {
      const path = join(dirOf(command), workedOnName(key, ownIdentity()));
      const createdAtMs = now();
      const text = JSON.stringify({ operation: command.operation, createdAtMs });
      await makePrivateDir(dir);
      await writePrivateFile(path, `${text}\n`);
      return toPendingKey(path, { key, createdAtMs, isTakenOver: false });
    },
  };
}

async function claimOldest(dir: string): Promise<PendingKey | undefined> {
  const found: { name: string; key: string; createdAtMs: number }[] = [];
  for (const name of await listNames(dir)) {
    const key = keyIfFree(name);
    if (key === undefined) continue;
    const text = await readTextIfAny(join(dir, name));
    const createdAtMs = parseJsonObject(text ?? '')?.['createdAtMs'];
    found.push({ name, key, createdAtMs: typeof createdAtMs === 'number' ? createdAtMs : 0 });
  }
  found.sort((a, b) => a.createdAtMs - b.createdAtMs);
  for (const { name, key, createdAtMs } of found) {
    const path = join(dir, workedOnName(key, ownIdentity()));
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
      await syncDir(dir).catch(() => undefined);
    },
  };
}

/** `<key>.<pid>.<start>.<host in hex>.run`: who works on it. */
function workedOnName(key: string, { pid, start, host }: ProcessIdentity): string {
  return `${key}.${pid}.${start}.${Buffer.from(host).toString('hex')}.run`;
}

/** The key in a file's name, unless a process that may be alive works on it. */
function keyIfFree(name: string): string | undefined {
  if (name.endsWith('.json')) {
    const key = basename(name, '.json');
    return isUuid(key) ? key : undefined;
  }
  const [key = '', pid = '', start = '', host = '', ending] = name.split('.');
  if (ending !== 'run' || !isUuid(key)) return undefined;
  const identity = { pid: Number(pid), start, host: Buffer.from(host, 'hex').toString() };
  // If the owner is unknown, reusing the old key is the safe choice: it cannot pay twice.
  return findLiveness(identity) === 'alive' ? undefined : key;
}

async function listNames(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
