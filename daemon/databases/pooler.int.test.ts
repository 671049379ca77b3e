import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startPooler, type PoolMode, type Pooler } from '../../tests/support/postgres/pgbouncer.ts';
import { startPostgres, type PostgresServer } from '../../tests/support/postgres/server.ts';
import { parseConfig } from '../config/config.ts';
import { connectDatabase, prepareSchemas } from './databases.ts';
import { classifyDbError, createDb, readClock, sql } from '../platform/db/db.ts';
import { createLog } from '../platform/log.ts';

const log = createLog('silent');

/** What PgBouncer needs to take such parameters without a word, and drop them. */
const ignored =
  'ignore_startup_parameters = extra_float_digits,options,statement_timeout,lock_timeout,' +
  'idle_in_transaction_session_timeout';

const zones = ['Asia/Tokyo', 'America/Sao_Paulo'] as const;
const servers = new Map<string, PostgresServer>();
const poolers: Pooler[] = [];

beforeAll(async () => {
  for (const zone of zones) {
    const server = await startPostgres({ settings: { timezone: zone, datestyle: 'SQL, DMY' } });
    servers.set(zone, server);
    for (const role of ['wallet_owner', 'wallet_app'])
      await server.query(`CREATE ROLE ${role} LOGIN`);
    await server.query('CREATE DATABASE wallet OWNER wallet_owner');
    await server.query('CREATE TABLE times (name text, at timestamptz)');
  }
}, 120_000);

afterAll(async () => {
  for (const pooler of poolers) await pooler.stop();
  for (const server of servers.values()) await server.stop();
});

const serverOf = (zone: string): PostgresServer => {
  const server = servers.get(zone);
  if (!server) throw new Error('no such server');
  return server;
};

async function poolerOf(zone: string, mode: PoolMode, lines: readonly string[] = []) {
  const pooler = await startPooler(serverOf(zone).port, mode, lines);
  poolers.push(pooler);
  return pooler;
}

const config = () => {
  const outcome = parseConfig({});
  if (!outcome.ok) throw new Error(outcome.faults.join());
  return outcome.config;
};

const addSql = sql('test_add', 'INSERT INTO times VALUES ($1, to_timestamp($2::double precision))');
const readSql = sql('test_read', 'SELECT at FROM times WHERE name = $1');
const settingsSql = sql(
  'test_settings',
  `SELECT current_setting('TimeZone') AS zone, current_setting('statement_timeout') AS statement,
          current_setting('lock_timeout') AS lock, current_setting('enable_seqscan') AS scan,
          current_setting('idle_in_transaction_session_timeout') AS idle`,
);

describe.each(zones)('a server in %s', (zone) => {
  it.each([
    ['directly', undefined],
    ['through a pooler in session mode', []],
    ['through a pooler in session mode that drops start-up parameters', [ignored]],
  ])('connected %s, times are exact and the time-outs are set', async (_way, lines) => {
    const server = serverOf(zone);
    const pooler = lines && (await poolerOf(zone, 'session', lines));
    const url = pooler ? pooler.url('super', 'postgres') : server.url();
    const db = createDb({ url, name: 'test', maxConnections: 2, isByKey: true, log });
    try {
      const at = Date.parse('2026-07-01T12:34:56.789Z');
      const name = `${zone} ${lines?.length}`;
      await db.tx((tx) => tx.execute(addSql, [name, at / 1_000]));
      const [row] = await db.read((tx) => tx.query<{ at: number }>(readSql, [name]));
      expect(row?.at).toBe(at);
      const now = await db.read(readClock);
      expect(Math.abs(now - Date.now())).toBeLessThan(600_000);
      expect(await db.read((tx) => tx.query(settingsSql))).toEqual([
        { zone: 'UTC', statement: '15s', lock: '10s', idle: '30s', scan: 'off' },
      ]);
    } finally {
      await db.close();
    }
  });
});

describe('poolers', () => {
  it('a pooler in session mode carries migrations and the daemon', async () => {
    const pooler = await poolerOf('Asia/Tokyo', 'session');
    const url = pooler.url('wallet_app', 'wallet');
    const urls = { wallet: { url, ownerUrl: pooler.url('wallet_owner', 'wallet') } };
    const stop = () => Promise.resolve();
    const databases = { urls, dataDir: undefined, stop };
    expect(await prepareSchemas(databases, ['wallet'], true, log)).toBeUndefined();
    expect(await prepareSchemas(databases, ['wallet'], false, log)).toBeUndefined();
    const opened = await connectDatabase('wallet', url, config(), log);
    expect(opened).toMatchObject({ ok: true });
    if (opened.ok) await opened.value.close();
  });

  it('a pooler in session mode with a single connection is enough for one client', async () => {
    const pooler = await poolerOf('Asia/Tokyo', 'session', ['default_pool_size = 1']);
    const url = pooler.url('super', 'postgres');
    const db = createDb({ url, name: 'test', maxConnections: 1, log });
    try {
      expect(await db.read((tx) => tx.query(settingsSql))).toMatchObject([{ zone: 'UTC' }]);
    } finally {
      await db.close();
    }
  });

  it.each([
    ['transaction', []],
    ['transaction', [ignored]],
    ['transaction', [ignored, 'default_pool_size = 1']],
    ['transaction', [ignored, 'server_round_robin = 1', 'min_pool_size = 2']],
    ['statement', [ignored]],
  ] as const)('a pooler in %s mode is refused by name (%j)', async (mode, lines) => {
    const pooler = await poolerOf('America/Sao_Paulo', mode, lines);
    const opened = await connectDatabase('wallet', pooler.url('super', 'postgres'), config(), log);
    if (opened.ok) await opened.value.close();
    expect(opened.ok).toBe(false);
    if (opened.ok) return;
    expect(opened.fault.fault).toContain(`a pooler with ${mode} pooling`);
    expect(opened.fault.hint).toContain('pool_mode = session');
  });

  it('a busy pooler in transaction mode is refused for migrations', async () => {
    const pooler = await poolerOf('America/Sao_Paulo', 'transaction', [ignored]);
    const others = new pg.Pool({ connectionString: pooler.url('wallet_owner', 'wallet'), max: 4 });
    others.on('error', () => undefined);
    let isBusy = true;
    const keepBusy = async (): Promise<void> => {
      while (isBusy) await others.query('SELECT pg_sleep(0.002)');
    };
    const busy = Promise.all([keepBusy(), keepBusy(), keepBusy(), keepBusy()]);
    try {
      const ownerUrl = pooler.url('wallet_owner', 'wallet');
      const urls = { wallet: { url: pooler.url('wallet_app', 'wallet'), ownerUrl } };
      const databases = { urls, dataDir: undefined, stop: () => Promise.resolve() };
      const fault = await prepareSchemas(databases, ['wallet'], true, log);
      expect(fault?.fault).toContain('transaction pooling');
    } finally {
      isBusy = false;
      await busy;
      await others.end();
    }
  });

  it('calls fail as transient while a pooler is in transaction mode', async () => {
    const pooler = await poolerOf('Asia/Tokyo', 'session', [ignored]);
    const url = pooler.url('super', 'postgres');
    const db = createDb({ url, name: 'test', maxConnections: 2, log });
    const read = () => db.read((tx) => tx.query<{ zone: string }>(settingsSql));
    const outcome = () => read().then(([row]) => row?.zone, classifyDbError);
    try {
      expect(await outcome()).toBe('UTC');
      await pooler.restart('transaction');
      for (let i = 0; i < 4; i += 1) expect(await outcome()).toBe('transient');
      await pooler.restart('session');
      expect(await outcome()).toBe('UTC');
    } finally {
      await db.close();
    }
  });
});
