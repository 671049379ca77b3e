import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import pg from 'pg';

import { createDb, type Db } from '../../daemon/platform/db.ts';
import { createLog } from '../../daemon/platform/log.ts';
import { migrate } from '../../daemon/platform/migrate.ts';

type Service = 'auth' | 'wallet' | 'statement';
export type SteppedPostgres = {
  /** Sets the server's clock so far ahead of the real one, for all its connections at once. */
  step(offsetS: number): void;
  /** A migrated database of a service. */
  open(service: Service): Promise<Db>;
  stop(): Promise<void>;
};

const library = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
const versions = '/usr/lib/postgresql';

/** A real Postgres whose wall clock can be stepped while it runs; durations stay right. */
export async function startSteppedPostgres(): Promise<SteppedPostgres> {
  const bin = join(versions, readdirSync(versions).sort().at(-1) ?? '', 'bin');
  const folder = mkdtempSync(join(tmpdir(), 'dw-clock-'));
  const [clock, data] = [join(folder, 'clock'), join(folder, 'data')];
  // Postgres does not run as root.
  const isRoot = process.getuid?.() === 0;
  const idOf = (flag: string): number => Number(execFileSync('id', [flag, 'postgres']));
  const user = isRoot ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  chmodSync(folder, 0o711);
  const step = (offsetS: number): void => {
    writeFileSync(clock, `${offsetS < 0 ? '' : '+'}${offsetS}\n`, { mode: 0o644 });
  };
  step(0);
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  const init = ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8'];
  execFileSync(join(bin, 'initdb'), init, { ...user, env, cwd: '/', stdio: 'ignore' });
  const faked = {
    ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: clock },
    ...{ FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
  };
  const args = ['-D', data, '-k', folder, '-c', 'listen_addresses='];
  const server = spawn(join(bin, 'postgres'), args, {
    ...{ ...user, env: { ...env, ...faked }, cwd: '/', stdio: 'ignore' },
  });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const urlOf = (role: string, name: string): string =>
    `postgres://${role}@localhost/${name}?host=${encodeURIComponent(folder)}`;
  const admin = await connect(urlOf('postgres', 'postgres'));
  const opened: Db[] = [];
  return {
    step,
    open: async (service) => {
      const name = `${service}_${randomUUID().slice(0, 8)}`;
      await admin.query(`CREATE ROLE ${name}_app LOGIN`);
      await admin.query(`CREATE DATABASE ${name}`);
      const log = createLog('silent');
      const ownerUrl = urlOf('postgres', name);
      const folderOf = `migrations/${service}`;
      const done = await migrate({ ownerUrl, folder: folderOf, runtimeRole: `${name}_app`, log });
      if (!done.ok) throw new Error(done.fault);
      const db = createDb({ url: urlOf(`${name}_app`, name), name, maxConnections: 4, log });
      opened.push(db);
      return db;
    },
    stop: async () => {
      await Promise.all(opened.map((db) => db.close()));
      await admin.end();
      server.kill('SIGINT');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function connect(connectionString: string): Promise<pg.Client> {
  for (let tries = 0; ; tries += 1) {
    const client = new pg.Client({ connectionString });
    try {
      await client.connect();
      return client;
    } catch (err) {
      if (tries > 300) throw err;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
