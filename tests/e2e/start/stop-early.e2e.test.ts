import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { runWalletd, type Environment } from '../../../scripts/product.ts';
import { holdLock } from '../../support/postgres/hold-lock.ts';
import { createOwnSite, type OwnSite } from '../../support/processes/own-site.ts';
import {
  endServer,
  findLeftovers,
  findProcesses,
  runProcess,
  waitFor,
  type Running,
} from '../../support/processes/process.ts';
import { expectCode } from '../../support/processes/world.ts';

/** The end of a start that was given up: asked for, complete, and never ready. */
async function expectGivenUp(starting: Running): Promise<void> {
  const how = await starting.end();
  expect({ how, said: starting.said() }).toMatchObject({ how: 0 });
  expect(starting.said()).not.toContain('walletd ready');
  expect(starting.said()).toContain('stopped before it was ready');
  expect(starting.said()).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
}

describe('with external databases', () => {
  let site: OwnSite;
  const releases: (() => unknown)[] = [];

  beforeAll(async () => {
    site = await createOwnSite();
  });
  afterEach(async () => {
    for (const release of releases.splice(0).reverse()) await release();
  });
  afterAll(() => site.dispose());

  const countWaiting = async (): Promise<number> => {
    const rows = await site.server.query(
      `SELECT 1 FROM pg_stat_activity
       WHERE application_name LIKE 'walletd %' AND wait_event_type = 'Lock'`,
    );
    return rows.length;
  };
  const countSessions = async (): Promise<number> => {
    const rows = await site.server.query(
      "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'walletd %'",
    );
    return rows.length;
  };
  const env = (more: Environment = {}): Environment => ({ ...site.env, ...more });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s during a start ends the wait for the migration lock, on the server too',
    async (name) => {
      const free = await holdLock(
        site.url('auth_owner', 'auth'),
        'SELECT pg_advisory_xact_lock(7305413001)',
      );
      releases.push(free);
      const starting = runProcess(['start'], env(site.owners));
      await waitFor('a wait for the lock', async () => (await countWaiting()) === 1);
      starting.child.kill(name);
      await expectGivenUp(starting);
      expect(await countSessions()).toBe(0);
    },
  );

  it('a signal ends the wait of walletd migrate for the lock, and is reported', async () => {
    const free = await holdLock(
      site.url('auth_owner', 'auth'),
      'SELECT pg_advisory_xact_lock(7305413001)',
    );
    releases.push(free);
    const migrating = runProcess(['migrate'], env(site.owners));
    await waitFor('a wait for the lock', async () => (await countWaiting()) === 1);
    migrating.child.kill('SIGINT');
    expect(await migrating.end()).toBe(130);
    expect(migrating.said()).toContain('interrupted by SIGINT');
    expect(await countSessions()).toBe(0);
  });

  it('SIGTERM ends a migration that is in progress, and rolls it back', async () => {
    // A table that another transaction is making under the same name is waited for.
    const text = 'CREATE TABLE mails (id int)';
    const free = await holdLock(site.url('auth_owner', 'auth'), text);
    releases.push(free);
    const starting = runProcess(['start'], env(site.owners));
    await waitFor('a wait for the table', async () => (await countWaiting()) === 1);
    starting.child.kill('SIGTERM');
    await expectGivenUp(starting);
    expect(await countSessions()).toBe(0);
    const tables = await site.query<{ name: string | null }>(
      'auth',
      "SELECT to_regclass('email_changes')::text AS name UNION ALL " +
        "SELECT to_regclass('users')::text",
    );
    // Both come before `mails` in the one migration.
    expect(tables).toEqual([{ name: null }, { name: null }]);
    await free();
    expectCode(await runWalletd(['migrate'], { env: env(site.owners) }), 0);
  });

  it('a stop during the start does not wait for a query on a locked table', async () => {
    expectCode(await runWalletd(['migrate'], { env: env(site.owners) }), 0);
    const free = await holdLock(site.server.url({ database: 'auth' }), 'LOCK TABLE users');
    releases.push(free);
    const starting = runProcess(['start'], env());
    await waitFor('a wait for the table', async () => (await countWaiting()) > 0);
    starting.child.kill('SIGTERM');
    await expectGivenUp(starting);
  });

  it('a stop during the start does not wait for a server that does not answer', async () => {
    const silent = await listenSilently();
    releases.push(() => silent.server.close());
    const url = `postgres://auth_app@127.0.0.1:${silent.port}/auth?connect_timeout=60`;
    const starting = runProcess(['start'], env({ AUTH_DATABASE_URL: url }));
    await waitFor('a connection', () => silent.count() > 0);
    starting.child.kill('SIGTERM');
    await expectGivenUp(starting);
  });
});

async function listenSilently(): Promise<{ server: Server; port: number; count: () => number }> {
  let count = 0;
  const server = createServer((socket) => {
    count += 1;
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { server, port, count: () => count };
}

describe('with the embedded Postgres', () => {
  let folder: string;
  let dataDir: string;
  let env: Environment;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dw-early-'));
    chmodSync(folder, 0o711);
    dataDir = join(folder, 'data');
    env = {
      PATH: process.env['PATH'] ?? '',
      LOG_LEVEL: 'info',
      WALLETD_LISTEN: '127.0.0.1:0',
      WALLETD_METRICS_LISTEN: 'off',
      WALLETD_HTTP_LISTEN: 'off',
      WALLETD_DATA_DIR: dataDir,
      WALLETD_USER: 'root',
    };
  });
  afterEach(async () => {
    await endServer(dataDir);
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  });

  it('a signal ends the creation of the embedded cluster', async () => {
    const starting = runProcess(['start'], env);
    await waitFor('initdb', () => findProcesses(join(dataDir, 'postgres.init-')).length > 0);
    starting.child.kill('SIGTERM');
    await expectGivenUp(starting);
    expect(findLeftovers(dataDir)).toEqual([]);
    expect(findProcesses(dataDir)).toEqual([]);
  });

  it('a signal during the start stops the embedded server that was just started', async () => {
    const starting = runProcess(['start'], env);
    await waitFor('a server', () => existsSync(join(dataDir, 'postgres/postmaster.pid')));
    starting.child.kill('SIGTERM');
    await expectGivenUp(starting);
    expect(findLeftovers(dataDir)).toEqual([]);
  });

  it('a signal ends the wait for a command that uses the folder, and keeps its lock', async () => {
    mkdirSync(dataDir, { mode: 0o711 });
    const held = { pid: process.pid, startedAt: '', bootId: '', purpose: 'command', nonce: 'x' };
    const lock = join(dataDir, 'walletd.lock');
    writeFileSync(lock, JSON.stringify(held));
    const starting = runProcess(['start'], env);
    await waitFor('the wait', () => starting.said().includes('waiting for a walletd command'));
    starting.child.kill('SIGTERM');
    await expectGivenUp(starting);
    expect(JSON.parse(readFileSync(lock, 'utf8'))).toEqual(held);
    expect(findProcesses(join(dataDir, 'postgres'))).toEqual([]);
  });
});
