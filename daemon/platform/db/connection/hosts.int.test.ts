import { connect as connectNet, createServer, type Server } from 'node:net';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { findFreePort } from '../../../../tests/support/free-port.ts';
import { startPostgres, type PostgresServer } from '../../../../tests/support/postgres/server.ts';
import { createTestVhost } from '../../../../tests/support/broker/vhost.ts';
import { createPublisher } from '../../broker/amqp/publisher.ts';
import { classifyDbError, createDb, sql } from '../db.ts';
import { createLog } from '../../log.ts';
import { migrate } from '../migrate/migrate.ts';
import { findConnectionFault } from './connection-fault.ts';

const log = createLog('silent');
let primary: PostgresServer;
let standby: PostgresServer;
let readOnly: PostgresServer;
let deadPort: number;

beforeAll(async () => {
  primary = await startPostgres();
  standby = await primary.startStandby();
  readOnly = await startPostgres({ settings: { default_transaction_read_only: 'on' } });
  deadPort = await findFreePort();
}, 120_000);

afterAll(async () => {
  for (const server of [standby, primary, readOnly]) await server.stop();
});

const portSql = sql('test_port', `SELECT current_setting('port') AS port`);

async function findServer(ports: readonly number[], query = ''): Promise<string | undefined> {
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join();
  const url = `postgres://super@${hosts}/postgres${query}`;
  const db = createDb({ url, name: 'test', maxConnections: 2, log });
  try {
    const [row] = await db.read((tx) => tx.query<{ port: string }>(portSql));
    return row?.port;
  } finally {
    await db.close();
  }
}

describe('several database hosts', () => {
  it('a database host that is unavailable is skipped', async () => {
    expect(await findServer([deadPort, primary.port])).toBe(String(primary.port));
  });

  it('a standby among several database hosts is skipped', async () => {
    expect(await findServer([standby.port, primary.port])).toBe(String(primary.port));
    const primaryOnly = '?target_session_attrs=primary';
    expect(await findServer([standby.port, primary.port], primaryOnly)).toBe(String(primary.port));
  });

  it('a read-only server among several database hosts is skipped', async () => {
    expect(await findServer([readOnly.port, primary.port])).toBe(String(primary.port));
  });

  it('the first database host is used with target_session_attrs=any', async () => {
    const port = await findServer([standby.port, primary.port], '?target_session_attrs=any');
    expect(port).toBe(String(standby.port));
  });

  it('if no database host is usable, a transient error names each with its fault', async () => {
    const err: unknown = await findServer([deadPort, standby.port]).catch((e: unknown) => e);
    expect(classifyDbError(err)).toBe('transient');
    const { fault, hint } = findConnectionFault(err) ?? { fault: '', hint: '' };
    expect(fault).toContain(`127.0.0.1:${deadPort}: `);
    expect(fault).toContain(`127.0.0.1:${standby.port}: the server is a standby`);
    expect(hint).toContain('name the primary');
  });

  it('migrations run on the primary among several database hosts', async () => {
    await primary.query('CREATE ROLE wallet_app LOGIN');
    await primary.query('CREATE DATABASE wallet');
    const hosts = `127.0.0.1:${standby.port},127.0.0.1:${primary.port}`;
    const ownerUrl = `postgres://super@${hosts}/wallet`;
    const folder = 'migrations/wallet';
    const outcome = await migrate({ ownerUrl, folder, runtimeRole: 'wallet_app', log });
    expect(outcome).toMatchObject({ ok: true });
  });

  it('a pool that only reads leaves a database host that has become read-only', async () => {
    const fenced = await startPostgres();
    const url = `postgres://super@127.0.0.1:${fenced.port},127.0.0.1:${primary.port}/postgres`;
    const db = createDb({ url, name: 'test', maxConnections: 2, maxConnectionAgeMs: 300, log });
    const read = async (): Promise<string | undefined> =>
      (await db.read((tx) => tx.query<{ port: string }>(portSql)))[0]?.port;
    try {
      expect(await read()).toBe(String(fenced.port));
      await fenced.query('ALTER SYSTEM SET default_transaction_read_only = on');
      await fenced.query('SELECT pg_reload_conf()');
      await vi.waitFor(async () => expect(await read()).toBe(String(primary.port)), 10_000);
    } finally {
      await db.close();
      await fenced.stop();
    }
  });

  it('a pool fails over to the next database host, and back again', async () => {
    const ways = [await startForwarder(primary.port), await startForwarder(primary.port)] as const;
    const hosts = ways.map(({ port }) => `127.0.0.1:${port}`).join();
    const url = `postgres://super@${hosts}/postgres`;
    const db = createDb({ url, name: 'test', maxConnections: 2, log });
    const works = () => db.read((tx) => tx.query(portSql)).then(() => true, classifyDbError);
    try {
      expect(await works()).toBe(true);
      await ways[0].stop();
      await vi.waitFor(async () => expect(await works()).toBe(true), { timeout: 10_000 });
      await ways[0].start();
      await ways[1].stop();
      await vi.waitFor(async () => expect(await works()).toBe(true), { timeout: 10_000 });
    } finally {
      await db.close();
      for (const way of ways) await way.stop();
    }
  });
});

/** A way to a server that can be closed and opened again. */
async function startForwarder(target: number) {
  const port = await findFreePort();
  let server: Server | undefined;
  const ends = new Set<{ destroy(): void }>();
  const start = async (): Promise<void> => {
    const opened = createServer((client) => {
      const upstream = connectNet(target, '127.0.0.1');
      for (const end of [client, upstream]) {
        ends.add(end);
        end.on('error', () => undefined);
        end.on('close', () => void (client.destroy(), upstream.destroy()));
      }
      client.pipe(upstream).pipe(client);
    });
    await new Promise<void>((resolve) => opened.listen(port, '127.0.0.1', resolve));
    server = opened;
  };
  await start();
  return {
    port,
    start,
    stop: async (): Promise<void> => {
      const closing = server;
      server = undefined;
      const closed = new Promise((resolve) => (closing ? closing.close(resolve) : resolve(null)));
      for (const end of ends) end.destroy();
      ends.clear();
      await closed;
    },
  };
}

describe('several RabbitMQ nodes', () => {
  it('a RabbitMQ node that is unavailable is skipped', async () => {
    const vhost = await createTestVhost();
    const dead = new URL(vhost.url);
    dead.port = String(deadPort);
    const publisher = createPublisher(`${dead.href},${vhost.url}`, log);
    try {
      await vi.waitFor(() => expect(publisher.findTrouble()).toBeUndefined(), { timeout: 10_000 });
    } finally {
      await publisher.stop();
      await vhost.drop();
    }
  });

  it('each RabbitMQ node is named, without its password, if none is available', async () => {
    const url = `amqp://u:secret@127.0.0.1:${deadPort}/v`;
    const publisher = createPublisher(`${url},${url.replace('127.0.0.1', 'localhost')}`, log);
    try {
      await vi.waitFor(() => expect(publisher.findTrouble()).toContain('127.0.0.1:'), {
        timeout: 20_000,
      });
      expect(publisher.findTrouble()).toContain(`localhost:${deadPort}: `);
      expect(publisher.findTrouble()).not.toContain('secret');
    } finally {
      await publisher.stop();
    }
  });
});
