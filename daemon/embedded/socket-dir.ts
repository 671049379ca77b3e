import { createHash, randomBytes } from 'node:crypto';
import { chmod, lchown, lstat, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { codeOf } from '../../lib/error-code.ts';
import { fail, succeed, type Outcome } from '../fault.ts';
import { type RunAs } from './run.ts';

export const socketPort = 5432;

// sun_path has 108 bytes on Linux and 104 on macOS, with the final NUL.
const pathLimitBytes = 103;

/**
 * A folder for the socket with a short path, which only Postgres' user (and root) can enter. The
 * last used one is preferred. Skips a name that belongs to another user in a shared folder.
 */
export async function prepareSocketDir(input: {
  readonly dataDir: string;
  readonly lastUsed: string | null;
  readonly runAs: RunAs | null;
  readonly uid: number;
}): Promise<Outcome<string>> {
  const owner = input.runAs ?? { uid: input.uid };
  const hash = createHash('sha256').update(input.dataDir).digest('hex').slice(0, 8);
  const name = `dw-${owner.uid}-${hash}`;
  const candidates = [
    ...(input.lastUsed === null ? [] : [input.lastUsed]),
    ...(input.runAs === null ? [] : [`/run/digital-wallet-${hash}`]),
    path.join(tmpdir(), name),
    path.join('/tmp', name),
    path.join('/tmp', `${name}-${randomBytes(4).toString('hex')}`),
  ];
  for (const folder of candidates) {
    if (Buffer.byteLength(socketFileIn(folder)) > pathLimitBytes) continue;
    if (await tryFolder(folder, owner)) return succeed(folder);
  }
  return fail(
    `No folder for the database's socket could be created (tried ${candidates.join(', ')}).`,
    'Make /tmp writable for the user that runs walletd.',
  );
}

export function socketFileIn(folder: string): string {
  return path.join(folder, `.s.PGSQL.${socketPort}`);
}

async function tryFolder(
  folder: string,
  owner: { readonly uid: number; readonly gid?: number },
): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 }).catch((err: unknown) => {
      if (codeOf(err) !== 'EEXIST') throw err;
    });
    const found = await lstat(folder);
    const createdByUs = owner.gid !== undefined && found.uid === 0;
    if (!found.isDirectory() || (found.uid !== owner.uid && !createdByUs)) return false;
    if ((found.mode & 0o777) !== 0o700) await chmod(folder, 0o700);
    if (createdByUs) await lchown(folder, owner.uid, owner.gid);
    return true;
  } catch {
    return false;
  }
}
