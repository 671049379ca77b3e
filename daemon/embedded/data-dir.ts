import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

import { codeOf } from '../../lib/error-code.ts';
import { fail, succeed, type Outcome } from '../fault.ts';
import { type RunAs } from './run.ts';

/** Paths in the data folder; `root` is the folder itself, with links resolved. */
export type DataPaths = {
  readonly root: string;
  readonly pgData: string;
  readonly logFile: string;
  readonly secretsFile: string;
  readonly lockFile: string;
};

/**
 * The data folder where none is configured: /var/lib/digital-wallet for root, otherwise
 * digital-wallet under XDG_DATA_HOME (ignored unless absolute, as its specification asks) or
 * ~/.local/share; undefined without a home folder. Pure: the caller passes the environment.
 */
export function defaultDataDir(input: {
  readonly uid: number;
  readonly homeDir: string | undefined;
  readonly xdgDataHome?: string;
}): string | undefined {
  if (input.uid === 0) return '/var/lib/digital-wallet';
  const configured = input.xdgDataHome ?? '';
  if (path.isAbsolute(configured)) return path.join(configured, 'digital-wallet');
  return input.homeDir && path.join(input.homeDir, '.local', 'share', 'digital-wallet');
}

export function pathsIn(root: string): DataPaths {
  return {
    root,
    pgData: path.join(root, 'postgres'),
    logFile: path.join(root, 'postgres.log'),
    secretsFile: path.join(root, 'embedded.json'),
    lockFile: path.join(root, 'walletd.lock'),
  };
}

/**
 * Creates the data folder if it is absent and checks that it belongs to the user who runs walletd.
 * Other users get no access, except that root's folder is traversable for Postgres' user. Rejects
 * with the error of the file system.
 */
export async function openDataDir(dataDir: string, uid: number): Promise<Outcome<DataPaths>> {
  const asked = path.resolve(dataDir);
  await mkdir(path.dirname(asked), { recursive: true });
  await mkdir(asked, { mode: uid === 0 ? 0o711 : 0o700 }).catch((err: unknown) => {
    if (codeOf(err) !== 'EEXIST') throw err;
  });
  const root = await realpath(asked);
  const found = await stat(root);
  if (!found.isDirectory()) return fail(`The data folder ${root} is not a folder.`, otherFolder);
  if (found.uid !== uid) {
    return fail(
      `The data folder ${root} belongs to the user with id ${found.uid}, ` +
        `but walletd runs as the one with id ${uid}.`,
      'Run walletd as that user, or name another folder with WALLETD_DATA_DIR.',
    );
  }
  if ((found.mode & 0o1000) !== 0) {
    return fail(`The data folder ${root} is shared by all users of this host.`, otherFolder);
  }
  const mode = uid === 0 ? (found.mode & 0o755) | 0o711 : found.mode & 0o755;
  if (mode !== (found.mode & 0o777)) await chmod(root, mode);
  return succeed(pathsIn(root));
}

const otherFolder = 'Name another folder with WALLETD_DATA_DIR.';

/** The first folder on the way to `target`, itself included, that the user may not pass. */
export async function findBlockingFolder(target: string, user: RunAs): Promise<string | null> {
  const parents = [target];
  for (let at = target; at !== path.dirname(at);) {
    at = path.dirname(at);
    parents.unshift(at);
  }
  for (const folder of parents) {
    const { mode, uid, gid } = await stat(folder);
    const needed = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & needed) === 0) return folder;
  }
  return null;
}
