import { forgetOwners, type Config } from '../config/config.ts';
import { findLimitFault, listLimitNotices, readLimits, sizePools } from './connection-limits.ts';
import {
  connectDatabase,
  openDatabases,
  prepareSchemas,
  readSchemaVersions,
  type Databases,
  type PoolOptions,
} from './databases.ts';
import type { Outcome } from '../fault.ts';
import { untilAborted } from '../platform/concurrency/abort.ts';
import type { Db } from '../platform/db/db.ts';
import type { Lifecycle } from '../platform/lifecycle.ts';
import type { Log } from '../platform/log.ts';
import type { Deps } from '../services.ts';
import type { ServiceName } from '../config/settings.ts';

type PoolName = keyof Pick<Deps, 'dbs' | 'reserved' | 'projecting'>;

/**
 * The databases of the hosted services, migrated if that is to be done, and pools of connections
 * for each. Refused where a server allows fewer connections than the daemon may open.
 */
export async function openPools(
  config: Config,
  log: Log,
  lifecycle: Lifecycle,
  signal: AbortSignal,
  onLost: (detail: string) => void,
): Promise<Outcome<Pick<Deps, 'dataDir' | 'schemaVersions' | PoolName> & { notices: string[] }>> {
  // The HTTP gateway alone has none.
  if (config.services.length === 0) {
    const none = { dbs: {}, reserved: {}, projecting: {}, schemaVersions: {} };
    return { ok: true, value: { dataDir: undefined, notices: [], ...none } };
  }
  const opened = await openDatabases(config, log, 'start', signal, onLost);
  if (!opened.ok) return opened;
  const { dataDir, stop } = opened.value;
  lifecycle.defer('databases', stop);
  const { services, shouldMigrate, databaseConnections } = config;
  const unready = await prepareSchemas(opened.value, services, shouldMigrate, log, signal);
  if (unready) return { ok: false, fault: unready };
  forgetOwners(config);
  const pools = await untilAborted(
    signal,
    connectAll(opened.value.urls, config, log, lifecycle, signal),
  );
  if (!pools.ok) return pools;
  const limits = await untilAborted(signal, readLimits(pools.value.dbs));
  const fault = findLimitFault(limits, databaseConnections);
  if (fault) return { ok: false, fault };
  const notices = listLimitNotices(limits, databaseConnections);
  const schemaVersions = await readSchemaVersions(services);
  return { ok: true, value: { dataDir, notices, schemaVersions, ...pools.value } };
}

/**
 * Commits wait briefly for a wallet that another transaction has locked, and go on without it.
 * Their transactions are never idle for long: those of a daemon that was stopped let go of their
 * wallets.
 */
function poolOf(pool: PoolName, name: ServiceName, config: Config): PoolOptions | undefined {
  const maxConnections = sizePools(config, name)[pool];
  if (maxConnections === 0) return undefined;
  if (pool === 'dbs') return { maxConnections };
  return pool === 'reserved' && name === 'wallet'
    ? { maxConnections, isByKey: true, lockTimeoutMs: 250, idleInTransactionMs: 5_000 }
    : { maxConnections, isByKey: true };
}

async function connectAll(
  urls: Databases['urls'],
  config: Config,
  log: Log,
  lifecycle: Lifecycle,
  signal: AbortSignal,
): Promise<Outcome<Pick<Deps, PoolName>>> {
  const pools: Record<PoolName, Partial<Record<ServiceName, Db>>> = {
    dbs: {},
    reserved: {},
    projecting: {},
  };
  for (const pool of ['dbs', 'reserved', 'projecting'] as const) {
    for (const name of config.services) {
      const url = urls[name]?.url;
      if (url === undefined) throw new Error(`no database for ${name}`);
      const options = poolOf(pool, name, config);
      if (!options) continue;
      const connected = await connectDatabase(name, url, config, log, { ...options, signal });
      if (!connected.ok) return connected;
      pools[pool][name] = connected.value;
      lifecycle.defer(`database ${name}`, () => connected.value.close());
    }
  }
  return { ok: true, value: pools };
}
