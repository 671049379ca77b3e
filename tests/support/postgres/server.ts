import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type pg from 'pg';

import { findFreePort } from '../free-port.ts';
import { queryUrl } from './client.ts';

/** A server of the test's own, of Debian's package: it has TLS, and can be copied to a standby. */
export type PostgresServer = {
  readonly port: number;
  /** As a superuser whom it trusts, to this host and database. */
  url(options?: { host?: string; database?: string; query?: string }): string;
  query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]>;
  /** A streaming standby of this one. */
  startStandby(settings?: Settings): Promise<PostgresServer>;
  /** Runs a program of the package (`pg_dump`) as the superuser, on this server. */
  runTool(program: string, args: readonly string[]): void;
  /** A server on a base backup (`runTool('pg_basebackup')`) and the WAL that was archived. */
  startRecovered(backup: string, settings: Settings): Promise<PostgresServer>;
  /** Ends its processes with SIGKILL, as a power cut does. */
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
};

type Settings = Readonly<Record<string, string>>;

export type ServerOptions = {
  readonly settings?: Settings;
  /** Lines of pg_hba.conf; trusts all connections by default. */
  readonly hba?: string;
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
};

const root = '/usr/lib/postgresql';
const bin = (program: string): string =>
  join(root, readdirSync(root).sort().at(-1) ?? '', 'bin', program);

/** Servers refuse to run as root. */
export function findRunAs(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string) =>
    Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}

/** A folder that belongs to whom the servers run as. */
export async function makeServerFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dw-server-'));
  const { uid, gid } = findRunAs();
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
  chmodSync(folder, 0o711);
  return folder;
}

export async function startPostgres(options: ServerOptions = {}): Promise<PostgresServer> {
  const folder = await makeServerFolder();
  const data = join(folder, 'data');
  const flags = [
    '-D',
    data,
    '-U',
    'super',
    '--auth=trust',
    '--no-sync',
    '-E',
    'UTF8',
    '--locale=C',
  ];
  execFileSync(bin('initdb'), flags, { ...findRunAs(), cwd: folder, stdio: 'pipe' });
  const hba =
    options.hba ?? 'host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n';
  const local = 'local all all trust\nlocal replication all trust\n';
  writeFileSync(join(data, 'pg_hba.conf'), local + hba);
  return run(folder, { ...options.settings, ...copyTls(data, options.tls) });
}

function copyTls(data: string, tls: ServerOptions['tls']): Settings {
  if (!tls) return {};
  const { uid, gid } = findRunAs();
  const copy = (from: string, name: string): string => {
    const to = join(data, name);
    copyFileSync(from, to);
    chmodSync(to, 0o600);
    if (uid !== undefined && gid !== undefined) chownSync(to, uid, gid);
    return to;
  };
  return {
    ssl: 'on',
    ssl_cert_file: copy(tls.cert, 'server.pem'),
    ssl_key_file: copy(tls.key, 'server.key'),
    ...(tls.ca === undefined ? {} : { ssl_ca_file: copy(tls.ca, 'clients.pem') }),
  };
}

async function run(folder: string, settings: Settings): Promise<PostgresServer> {
  const data = join(folder, 'data');
  const port = await findFreePort();
  const all = {
    ...{ port: String(port), listen_addresses: '127.0.0.1', unix_socket_directories: folder },
    ...{ max_connections: '60', shared_buffers: '16MB', wal_level: 'replica', ...settings },
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${value}'\n`);
  appendFileSync(join(data, 'postgresql.conf'), lines.join(''));
  const child = spawn(bin('postgres'), ['-D', data], {
    ...findRunAs(),
    cwd: folder,
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const adminUrl = `postgres://super@localhost/postgres?host=${folder}&port=${port}`;
  const query = <Row extends pg.QueryResultRow>(text: string): Promise<Row[]> =>
    queryUrl<Row>(adminUrl, text);
  await waitUntil(() => query('SELECT 1'), child);
  return {
    port,
    url: ({ host = '127.0.0.1', database = 'postgres', query: params = '' } = {}) =>
      `postgres://super@${host}:${port}/${database}${params === '' ? '' : `?${params}`}`,
    query,
    startStandby: async (more = {}) => {
      const other = await makeServerFolder();
      const from = ['-h', folder, '-p', String(port), '-U', 'super', '-D', join(other, 'data')];
      const env = { ...process.env, HOME: other };
      const flags = { ...findRunAs(), cwd: other, env, stdio: 'pipe' as const };
      execFileSync(bin('pg_basebackup'), [...from, '-R', '--checkpoint=fast', '--no-sync'], flags);
      return run(other, more);
    },
    runTool: (program, args) => {
      const env = { ...process.env, PGHOST: folder, PGPORT: String(port), PGUSER: 'super' };
      execFileSync(bin(program), args, { ...findRunAs(), cwd: folder, env, stdio: 'pipe' });
    },
    startRecovered: async (backup, more) => {
      const other = await makeServerFolder();
      const flags = { ...findRunAs(), cwd: other };
      execFileSync('cp', ['-r', '--preserve=mode', backup, join(other, 'data')], flags);
      execFileSync('touch', [join(other, 'data', 'recovery.signal')], flags);
      return run(other, more);
    },
    kill: async () => {
      signalServer(child, 'SIGSTOP');
      const ended = new Promise((resolve) => child.once('exit', resolve));
      signalServer(child, 'SIGKILL');
      await ended;
    },
    freeze: () => signalServer(child, 'SIGSTOP'),
    thaw: () => signalServer(child, 'SIGCONT'),
    stop: async () => {
      await stopChild(child, 'SIGQUIT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Stops the server and its processes, lets them go on, or kills them: one that is stopped alone
 * leaves the others at work. The server itself is the first to stop and the last to go on:
 * meanwhile it starts no process, and the id of one that has ended stays its own.
 */
export function signalServer(child: ChildProcess, signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
  const { pid } = child;
  if (pid === undefined) return;
  if (signal !== 'SIGCONT') process.kill(pid, 'SIGSTOP');
  for (const one of listChildren(pid)) process.kill(one, signal);
  if (signal !== 'SIGSTOP') process.kill(pid, signal);
}

function listChildren(pid: number): readonly number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' });
  return stdout.trim().split(/\s+/).filter(Boolean).map(Number);
}

export async function waitUntil(probe: () => Promise<unknown>, child: ChildProcess): Promise<void> {
  const endMs = Date.now() + 30_000;
  for (;;) {
    try {
      await probe();
      return;
    } catch (err) {
      if (Date.now() > endMs || child.exitCode !== null) throw err;
      await delay(100);
    }
  }
}

export async function stopChild(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGCONT');
  child.kill(signal);
  await ended;
}
