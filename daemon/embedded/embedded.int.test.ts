import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { queryUrl as query } from '../../tests/support/postgres/client.ts';
import { createLog } from '../platform/log.ts';
import { startEmbedded, type Embedded } from './index.ts';
import { systemUserName } from './system-user.ts';
import { isRoot, openWorkshop, readServerPid, type Workshop } from './test-support.ts';

const log = createLog('silent');
let workshop: Workshop;
let dataDir: string;
let embedded: Embedded;

async function start(extraSettings: Record<string, string> = {}): Promise<Embedded> {
  const result = await startEmbedded({ dataDir, log, extraSettings });
  if (!result.ok) throw new Error(`${result.fault.fault} ${result.fault.hint}`);
  return result.value;
}

beforeAll(async () => {
  workshop = await openWorkshop();
  dataDir = workshop.newDataDir('one');
  embedded = await start();
});

afterAll(async () => {
  await embedded.stop();
  await workshop.dispose();
});

describe('a fresh start', () => {
  test('each service reaches its own database through both of its roles', async () => {
    for (const [service, urls] of Object.entries(embedded.databases)) {
      const sql = 'SELECT current_database() AS db, current_user AS role';
      expect(await query(urls.runtimeUrl, sql)).toEqual([{ db: service, role: `${service}_app` }]);
      expect(await query(urls.ownerUrl, sql)).toEqual([{ db: service, role: `${service}_owner` }]);
    }
    expect(embedded.adopted).toBe(false);
  });

  test('no service can connect to the database of another, through either role', async () => {
    for (const [service, urls] of Object.entries(embedded.databases)) {
      for (const other of ['auth', 'wallet', 'statement', 'postgres', 'template1']) {
        if (other === service) continue;
        for (const url of [urls.runtimeUrl, urls.ownerUrl]) {
          const elsewhere = new URL(url);
          elsewhere.pathname = `/${other}`;
          // 42501: insufficient_privilege.
          await expect(query(elsewhere.href, 'SELECT 1')).rejects.toMatchObject({ code: '42501' });
        }
      }
    }
  });

  test('the embedded Postgres is durable, in UTC, UTF-8 and locale C, with checksums', async () => {
    const names = ['fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums', 'TimeZone'];
    const shown = names.map((name) => `current_setting('${name}')`).join(` || ' ' || `);
    const [row] = await query(
      embedded.databases.wallet.runtimeUrl,
      `SELECT ${shown} AS settings, pg_encoding_to_char(encoding) AS encoding, datcollate
       FROM pg_database WHERE datname = 'wallet'`,
    );
    expect(row).toEqual({ settings: 'on on on on UTC', encoding: 'UTF8', datcollate: 'C' });
  });

  test('secrets are readable by their owner only, and in no log or command line', async () => {
    const secretsFile = path.join(dataDir, 'embedded.json');
    const found = await stat(secretsFile);
    expect([found.mode & 0o777, found.uid]).toEqual([0o600, process.geteuid?.()]);
    const secrets = (await readFile(secretsFile, 'utf8')).match(/[\w-]{43}/g) ?? [];
    expect(new Set(secrets).size).toBe(7);
    const pid = await readServerPid(dataDir);
    const seen =
      (await readFile(path.join(dataDir, 'postgres.log'), 'utf8')) +
      (await readFile(`/proc/${pid}/cmdline`, 'utf8'));
    for (const secret of secrets) expect(seen).not.toContain(secret);
  });

  test('the embedded Postgres has no TCP port, and its socket folder has mode 0700', async () => {
    const pids = await serverPids();
    const sockets = (await Promise.all(pids.map(listSocketInodes))).flat();
    expect(sockets.length).toBeGreaterThan(0);
    const tcp = await Promise.all(['tcp', 'tcp6'].map((name) => readInodes(`/proc/net/${name}`)));
    expect(sockets.filter((inode) => tcp.flat().includes(inode))).toEqual([]);

    const socketDir = new URL(embedded.databases.auth.runtimeUrl).searchParams.get('host') ?? '';
    const found = await stat(socketDir);
    expect(found.mode & 0o777).toBe(0o700);
    expect(found.uid).toBe((await stat(path.join(dataDir, 'postgres'))).uid);
  });

  test('the embedded Postgres runs in its own session with a minimal environment', async () => {
    const pid = await readServerPid(dataDir);
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ');
    expect(fields?.[3]).toBe(String(pid));
    const env = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0').filter(Boolean);
    expect(env.map((entry) => entry.split('=')[0]).sort()).toEqual([
      'LC_ALL',
      'PATH',
      'PGDATA',
      'TZ',
    ]);
  });

  test.runIf(isRoot)('root runs Postgres as the system user, without groups of root', async () => {
    const status = await readFile(`/proc/${await readServerPid(dataDir)}/status`, 'utf8');
    const passwd = await readFile('/etc/passwd', 'utf8');
    const [, uid, gid] = new RegExp(`^${systemUserName}:x:(\\d+):(\\d+):`, 'm').exec(passwd) ?? [];
    expect(status).toMatch(new RegExp(`^Uid:(\t${uid}){4}$`, 'm'));
    expect(status).toMatch(new RegExp(`^Gid:(\t${gid}){4}$`, 'm'));
    expect(status).toMatch(/^Groups:\s*$/m);
    const modes = await Promise.all(
      ['.', 'postgres'].map(async (name) => (await stat(path.join(dataDir, name))).mode & 0o777),
    );
    expect(modes).toEqual([0o711, 0o700]);
  });
});

describe('roles', () => {
  test('a runtime role cannot create tables or schemas; the owner can', async () => {
    const { ownerUrl, runtimeUrl } = embedded.databases.wallet;
    await expect(query(runtimeUrl, 'CREATE TABLE t (x int)')).rejects.toThrow(/denied/);
    await expect(query(runtimeUrl, 'CREATE SCHEMA s')).rejects.toThrow(/denied/);
    await expect(query(runtimeUrl, 'CREATE TEMP TABLE t (x int)')).rejects.toThrow(/denied/);
    await query(ownerUrl, 'CREATE TABLE roles_probe (x int); DROP TABLE roles_probe');
  });

  test('a wrong database password is refused', async () => {
    const wrong = embedded.databases.auth.runtimeUrl.replace(/auth_app:[^@]+/, 'auth_app:wrong');
    await expect(query(wrong, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
  });
});

describe('stop and start', () => {
  test('stop and start keep the data, leave no process, and reset a changed password', async () => {
    const { ownerUrl } = embedded.databases.wallet;
    await query(ownerUrl, 'CREATE TABLE kept AS SELECT 42 AS x');
    await query(ownerUrl, "ALTER ROLE wallet_owner PASSWORD 'changed'");
    const old = await serverPids();
    await Promise.all([embedded.stop(), embedded.stop()]);
    expect((await Promise.all(old.map(isPresent))).filter(Boolean)).toEqual([]);
    expect(await readdir(dataDir)).not.toContain('walletd.lock');

    embedded = await start({ work_mem: '7MB' });
    expect(await query(embedded.databases.wallet.ownerUrl, 'SELECT x FROM kept')).toEqual([
      { x: 42 },
    ]);
    const shown = await query(embedded.databases.wallet.runtimeUrl, 'SHOW work_mem');
    expect(shown).toEqual([{ work_mem: '7MB' }]);
  });
});

async function serverPids(): Promise<number[]> {
  const postmaster = await readServerPid(dataDir);
  const children = await readFile(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8');
  return [postmaster, ...children.trim().split(' ').map(Number)];
}

async function isPresent(pid: number): Promise<boolean> {
  return await stat(`/proc/${pid}`).then(
    () => true,
    () => false,
  );
}

async function listSocketInodes(pid: number): Promise<string[]> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const targets = await Promise.all(
    fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
  );
  return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}

async function readInodes(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8').catch(() => '')).trim().split('\n').slice(1);
  return lines.map((line) => line.trim().split(/\s+/)[9] ?? '');
}
