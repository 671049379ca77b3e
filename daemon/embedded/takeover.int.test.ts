import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createLog } from '../platform/log.ts';
import { attachEmbedded, startEmbedded, type Embedded, type EmbeddedOptions } from './index.ts';
import { isAlive, identifyProcess } from '../../lib/process-identity.ts';
import {
  exitOf,
  killServer,
  makeOrdinaryHome,
  openWorkshop,
  readServerPid,
  waitFor,
  type Workshop,
} from './test-support.ts';
import { queryUrl as query } from '../../tests/support/postgres/client.ts';

const log = createLog('silent');
let workshop: Workshop;

beforeAll(async () => {
  workshop = await openWorkshop();
});

afterAll(async () => {
  await workshop.dispose();
});

async function start(options: Omit<EmbeddedOptions, 'log'>): Promise<Embedded> {
  const result = await startEmbedded({ log, ...options });
  if (!result.ok) throw new Error(`${result.fault.fault} ${result.fault.hint}`);
  return result.value;
}

async function startCount(dataDir: string): Promise<number> {
  const text = await readFile(path.join(dataDir, 'postgres.log'), 'utf8');
  return text.split('starting PostgreSQL').length - 1;
}

test('the next walletd adopts the server of a killed one, and stops it at its end', async () => {
  const dataDir = workshop.newDataDir('orphan');
  const first = workshop.spawn({ dataDir });
  const { databases } = await first.report;
  await query(databases!.auth.ownerUrl, 'CREATE TABLE kept AS SELECT 7 AS x');
  const pid = await readServerPid(dataDir);

  const refused = await startEmbedded({ dataDir, log });
  expect(refused.ok).toBe(false);
  if (!refused.ok) {
    expect(refused.fault.fault).toContain(`pid ${first.child.pid}`);
    expect(refused.fault.fault).toContain(dataDir);
  }

  first.child.kill('SIGKILL');
  await exitOf(first.child);
  const second = await start({ dataDir });
  expect(second.adopted).toBe(true);
  expect(await readServerPid(dataDir)).toBe(pid);
  expect(await query(second.databases.auth.ownerUrl, 'SELECT x FROM kept')).toEqual([{ x: 7 }]);
  await second.stop();
  expect(await identifyProcess(pid)).toBeNull();
});

test('the end of a started or adopted server is reported, and its data recovers', async () => {
  const dataDir = workshop.newDataDir('ends');
  const ends: string[] = [];
  const onUnexpectedExit = (detail: string): void => void ends.push(detail);
  const first = await start({ dataDir, onUnexpectedExit });
  await query(first.databases.wallet.ownerUrl, 'CREATE TABLE kept AS SELECT 1 AS x');
  process.kill(await readServerPid(dataDir), 'SIGKILL');
  await waitFor(() => ends.length === 1);
  expect(ends[0]).toContain('SIGKILL');
  await first.stop();

  // It ends without stopping the server, which also shows that the server does not keep it.
  const leaver = workshop.spawn({ dataDir, leave: true });
  expect(await leaver.report).toMatchObject({ ok: true, adopted: false });
  expect(await exitOf(leaver.child)).toBe(0);
  const adopted = await start({ dataDir, onUnexpectedExit });
  expect(adopted.adopted).toBe(true);
  expect(await query(adopted.databases.wallet.ownerUrl, 'SELECT x FROM kept')).toEqual([{ x: 1 }]);
  process.kill(await readServerPid(dataDir), 'SIGKILL');
  await waitFor(() => ends.length === 2);
  await adopted.stop();

  const last = await start({ dataDir, onUnexpectedExit });
  await last.stop();
  expect(ends).toHaveLength(2);
});

test('exactly one of two concurrent starts takes over from a killed walletd', async () => {
  const dataDir = workshop.newDataDir('race');
  const dead = workshop.spawn({ dataDir });
  await dead.report;
  dead.child.kill('SIGKILL');
  await exitOf(dead.child);
  const racers = [workshop.spawn({ dataDir }), workshop.spawn({ dataDir })];
  const reports = await Promise.all(racers.map((racer) => racer.report));
  const [winner] = reports.flatMap((report, i) => (report.ok ? [racers[i]!] : []));
  const [loss] = reports.filter((report) => !report.ok);
  expect(reports.filter((report) => report.ok)).toHaveLength(1);
  expect(loss?.fault?.fault).toContain(`pid ${winner?.child.pid}`);
  expect(await startCount(dataDir)).toBe(1);
  winner?.child.kill('SIGTERM');
  expect(await exitOf(winner!.child)).toBe(0);
});

test('an initialisation that was killed is started again', async () => {
  const dataDir = workshop.newDataDir('cut');
  const victim = workshop.spawn({ dataDir });
  // Once initdb writes into its folder, it is well before the end.
  await waitFor(async () => {
    const names = await readdir(dataDir).catch(() => []);
    const temp = names.find((name) => name.startsWith('postgres.init-'));
    if (temp === undefined) return false;
    return (await readdir(path.join(dataDir, temp, 'data')).catch(() => [])).length > 0;
  });
  victim.child.kill('SIGKILL');
  await exitOf(victim.child);
  const names = await readdir(dataDir);
  expect(names).not.toContain('postgres');
  const embedded = await start({ dataDir });
  expect(await query(embedded.databases.statement.runtimeUrl, 'SELECT 1 AS x')).toHaveLength(1);
  await embedded.stop();
  expect((await readdir(dataDir)).filter((name) => /init-|tmp-|lock/.test(name))).toEqual([]);
});

test('a pid file with a reused pid does not prevent a start', async () => {
  const dataDir = workshop.newDataDir('recycled');
  await (await start({ dataDir })).stop();
  const pidFile = path.join(dataDir, 'postgres', 'postmaster.pid');
  const { uid, gid } = await stat(path.join(dataDir, 'postgres'));
  const stranger = spawn('sleep', ['60'], { uid, gid, stdio: 'ignore' });
  try {
    await writeFile(pidFile, `${stranger.pid}\n${dataDir}/postgres\n`);
    await (await start({ dataDir })).stop();
    expect(stranger.exitCode).toBeNull();
  } finally {
    stranger.kill('SIGKILL');
  }
});

test('an orphaned Postgres without its socket is restarted', async () => {
  const dataDir = workshop.newDataDir('socket');
  const leaver = workshop.spawn({ dataDir, leave: true });
  const { databases } = await leaver.report;
  await exitOf(leaver.child);
  const pid = await readServerPid(dataDir);
  const socketDir = new URL(databases!.auth.runtimeUrl).searchParams.get('host')!;
  await rm(socketDir, { recursive: true });
  const embedded = await start({ dataDir });
  expect(await readServerPid(dataDir)).not.toBe(pid);
  expect(await query(embedded.databases.auth.runtimeUrl, 'SELECT 1 AS x')).toEqual([{ x: 1 }]);
  await embedded.stop();
});

test('a command attaches to a live daemon and leaves it running', async () => {
  const dataDir = workshop.newDataDir('attach');
  const daemon = workshop.spawn({ dataDir });
  // At once: the daemon is still creating its database.
  await waitFor(() => existsSync(path.join(dataDir, 'walletd.lock')));
  const attached = await attachEmbedded({ dataDir, log });
  if (!attached.ok) throw new Error(attached.fault.fault);
  expect(attached.value.adopted).toBe(true);
  await query(attached.value.databases.auth.ownerUrl, 'CREATE TABLE made AS SELECT 5 AS x');
  await attached.value.stop();
  const { databases } = await daemon.report;
  expect(await query(databases!.auth.ownerUrl, 'SELECT x FROM made')).toEqual([{ x: 5 }]);
  daemon.child.kill('SIGTERM');
  expect(await exitOf(daemon.child)).toBe(0);
});

test('a command without a daemon starts and stops the server; a daemon waits for it', async () => {
  const dataDir = workshop.newDataDir('command');
  const command = await attachEmbedded({ dataDir, log, canCreate: true });
  if (!command.ok) throw new Error(command.fault.fault);
  const server = await identifyProcess(await readServerPid(dataDir));
  const daemon = workshop.spawn({ dataDir });
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await isAlive(server!)).toBe(true);
  await command.value.stop();
  expect(await isAlive(server!)).toBe(false);
  expect(await daemon.report).toMatchObject({ ok: true, adopted: false });
  daemon.child.kill('SIGTERM');
  await exitOf(daemon.child);
});

test('an ordinary user starts walletd without environment or copy of the binaries', async () => {
  const dataDir = workshop.newDataDir('ordinary');
  await makeOrdinaryHome(dataDir);
  const walletd = workshop.spawn({ dataDir, unprivileged: true, env: {} });
  const { ok, databases } = await walletd.report;
  expect(ok).toBe(true);
  expect(await query(databases!.wallet.runtimeUrl, 'SELECT 1 AS x')).toEqual([{ x: 1 }]);
  expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
  expect((await readdir(dataDir)).filter((name) => name.startsWith('bin-'))).toEqual([]);
  walletd.child.kill('SIGTERM');
  expect(await exitOf(walletd.child)).toBe(0);
  expect(await readServerPid(dataDir)).toBe(0);
});

test('walletd starts the embedded Postgres with an empty environment', async () => {
  const dataDir = workshop.newDataDir('empty');
  const walletd = workshop.spawn({ dataDir, env: {} });
  expect(await walletd.report).toMatchObject({ ok: true, adopted: false });
  walletd.child.kill('SIGTERM');
  expect(await exitOf(walletd.child)).toBe(0);
  await killServer(dataDir);
});
