import { chmod, mkdir, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

import { codeOf } from '../../lib/error-code.ts';
import { fail, succeed, type Failure, type Outcome } from '../fault.ts';
import { type RunAs } from './run.ts';
import { failLostSecrets } from './secrets.ts';

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
 * Creates the data folder if it is absent and checks that it belongs to the user who runs walletd,
 * and that nothing of others is in it. Other users get no access, except that root's folder is
 * traversable for Postgres' user. Rejects with the error of the file system.
 */
export async function openDataDir(dataDir: string, uid: number): Promise<Outcome<DataPaths>> {
  const asked = path.resolve(dataDir);
  const unfit = findNameFault(asked);
  if (unfit) return unfit;
  await mkdir(path.dirname(asked), { recursive: true });
  await mkdir(asked, { mode: uid === 0 ? 0o711 : 0o700 }).catch((err: unknown) => {
    if (codeOf(err) !== 'EEXIST') throw err;
  });
  const found = await lookAt(asked);
  const fault = await findFolderFault(found, uid);
  if (fault) return fault;
  const mode = uid === 0 ? (found.mode & 0o755) | 0o711 : found.mode & 0o755;
  if (mode !== (found.mode & 0o777)) await chmod(found.paths.root, mode);
  return succeed(found.paths);
}

/**
 * The data folder as it is, if there is one and walletd may use it: null where there is none.
 * Changes nothing. Rejects with the error of the file system.
 */
export async function inspectDataDir(
  dataDir: string,
  uid: number,
): Promise<Outcome<FoundFolder | null>> {
  const asked = path.resolve(dataDir);
  const unfit = findNameFault(asked);
  if (unfit) return unfit;
  const found = await lookAt(asked).catch((err: unknown) => {
    if (codeOf(err) !== 'ENOENT') throw err;
    return null;
  });
  if (found === null) return succeed(null);
  return (await findFolderFault(found, uid)) ?? succeed(found);
}

export type FoundFolder = {
  readonly paths: DataPaths;
  readonly mode: number;
  readonly uid: number;
  readonly isDirectory: boolean;
};

async function lookAt(asked: string): Promise<FoundFolder> {
  const root = await realpath(asked);
  const stats = await stat(root);
  const { mode, uid } = stats;
  return { paths: pathsIn(root), mode, uid, isDirectory: stats.isDirectory() };
}

/** Postgres keeps the path in a line of its own files. */
function findNameFault(asked: string): Failure | undefined {
  if (!/\p{Cc}/u.test(asked)) return undefined;
  return fail(
    `The data folder ${JSON.stringify(asked)} has a line end or another control character in ` +
      'its path, and Postgres cannot use such a folder.',
    otherFolder,
  );
}

async function findFolderFault(found: FoundFolder, uid: number): Promise<Failure | undefined> {
  const { root } = found.paths;
  if (!found.isDirectory) return fail(`The data folder ${root} is not a folder.`, otherFolder);
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
  return await findForeign(found.paths);
}

/** What starts create, also interrupted ones, and what a file system has of its own. */
const ownNames =
  /^(walletd\.lock.*|postgres(\.init-.*|\.log(\.1)?)?|\.?embedded\.json.*|bin-.*|signing-key\.pem.*|lost\+found)$/;

/** A folder with other things in it, or with a cluster that walletd did not create. */
async function findForeign({ root, pgData, secretsFile }: DataPaths): Promise<Failure | undefined> {
  if (await exists(secretsFile)) return undefined;
  const others = (await readdir(root)).filter((name) => !ownNames.test(name)).sort();
  if (others.length > 0) {
    const more = others.length > 1 ? ` and ${others.length - 1} more` : '';
    return fail(
      `The folder ${root} is not empty, and walletd did not create what is in it: ` +
        `${JSON.stringify(others[0])}${more}.`,
      'Name an empty folder, or one that is not there yet, with WALLETD_DATA_DIR.',
    );
  }
  return (await exists(pgData)) ? failLostSecrets(secretsFile) : undefined;
}

export async function exists(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    (err: unknown) => {
      if (codeOf(err) === 'ENOENT') return false;
      throw err;
    },
  );
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
