import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Config } from './config.ts';
import type { DatabaseUrls } from './database-settings.ts';
import { serviceNames, type ServiceName } from './settings.ts';
import { attachEmbedded, defaultDataDir, startEmbedded } from './embedded/index.ts';
import type { Fault, Outcome } from './fault.ts';
import { chooseAccount } from './host/account.ts';
import { findConnectionFault } from './platform/db-connection/connection-fault.ts';
import { findStateFault } from './platform/db-connection/state-faults.ts';
import { parseDatabaseUrl } from './platform/db-connection/database-url.ts';
import { createDb, type Db, type DbOptions } from './platform/db.ts';
import { findUnsafeSettings } from './platform/db-checks.ts';
import type { Log } from './platform/log.ts';
import { checkSchema, migrate } from './platform/migrate.ts';

export type Databases = {
  readonly urls: Readonly<Partial<Record<ServiceName, DatabaseUrls>>>;
  /** Where this daemon may keep a key of its own; undefined with databases of one's own. */
  readonly dataDir: string | undefined;
  stop(): Promise<void>;
};

/**
 * The databases to work with: those configured, or the embedded Postgres. `start` is for the
 * daemon, which owns the embedded server; `attach` for commands beside it.
 */
export async function openDatabases(
  config: Config,
  log: Log,
  mode: 'start' | 'attach',
  onLost: (detail: string) => void,
): Promise<Outcome<Databases>> {
  if (config.databases) {
    const value = { urls: config.databases, dataDir: undefined, stop: () => Promise.resolve() };
    return { ok: true, value };
  }
  const account = await chooseAccount(config);
  if (!account.ok) return account;
  const options = {
    dataDir: config.dataDir ?? defaultDataDir(config.home),
    log,
    onUnexpectedExit: onLost,
    ...(account.value ? { runAs: account.value } : {}),
  };
  const opened = await (mode === 'start' ? startEmbedded(options) : attachEmbedded(options));
  if (!opened.ok) return opened;
  const { databases, dataDir, stop } = opened.value;
  const urls = Object.fromEntries(
    serviceNames.map((name) => {
      const { runtimeUrl, ownerUrl } = databases[name];
      return [name, { url: runtimeUrl, ownerUrl }];
    }),
  );
  return { ok: true, value: { urls, dataDir, stop } };
}

/** Brings the schemas of these services up to date, or only looks where that is not allowed. */
export async function prepareSchemas(
  databases: Databases,
  names: readonly ServiceName[],
  shouldMigrate: boolean,
  log: Log,
): Promise<Fault | undefined> {
  for (const name of names) {
    const urls = databases.urls[name];
    if (!urls) continue;
    const folder = join(migrationsRoot(), name);
    const { url, ownerUrl } = urls;
    const options = { ownerUrl, folder, runtimeRole: roleOf(url), log };
    if (shouldMigrate && roleOf(ownerUrl) === options.runtimeRole) return sameRole(name);
    try {
      const outcome = shouldMigrate ? await migrate(options) : await checkSchema({ url, folder });
      if (!outcome.ok)
        return { fault: `the ${name} database: ${outcome.fault}`, hint: outcome.hint };
    } catch (err) {
      log.debug({ err }, 'schema not prepared');
      return unusable(name, err);
    }
  }
  return undefined;
}

export type PoolOptions = Omit<DbOptions, 'url' | 'name' | 'log'>;

/** A pool for a service; refused if the server could lose what it has acknowledged. */
export async function connectDatabase(
  name: ServiceName,
  url: string,
  config: Config,
  log: Log,
  pool: PoolOptions = { maxConnections: 10 },
): Promise<Outcome<Db>> {
  let db: Db | undefined;
  let unsafe: string[];
  try {
    db = createDb({ url, name, ...pool, log });
    unsafe = await db.read(findUnsafeSettings);
  } catch (err) {
    await db?.close();
    return { ok: false, fault: unusable(name, err) };
  }
  if (unsafe.length === 0 || config.isUnsafeDurabilityAllowed) return { ok: true, value: db };
  await db.close();
  return {
    ok: false,
    fault: {
      fault: `the ${name} database could lose what it has committed: ${unsafe.join(', ')}`,
      hint: 'set fsync, full_page_writes and synchronous_commit to on, and start again',
    },
  };
}

/** What an operator should know of servers that work, but may lose transactions in a failover. */
export async function listFailoverNotices(
  dbs: Readonly<Partial<Record<ServiceName, Db>>>,
): Promise<string[]> {
  const notices: string[] = [];
  for (const [name, db] of Object.entries(dbs)) {
    const risks = await db.read((tx) => findUnsafeSettings(tx, true));
    for (const risk of risks.filter((found) => found.endsWith('=local'))) {
      notices.push(
        `the ${name} database has ${risk}: a failover to a standby may lose transactions that were answered; set synchronous_commit to on`,
      );
    }
  }
  return notices;
}

/** The folder `migrations`, beside package.json whether built or run from source. */
function migrationsRoot(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'migrations'))) return join(dir, 'migrations');
    if (dir === dirname(dir))
      throw new Error('the folder "migrations" is missing from the package');
  }
}

function unusable(name: ServiceName, err: unknown): Fault {
  const known = findConnectionFault(err);
  return {
    fault: `the ${name} database cannot be used: ${known?.fault ?? explain(err)}`,
    hint:
      known?.hint ??
      findStateFault(err)?.hint ??
      `see that the server runs and that ${name.toUpperCase()}_DATABASE_URL is right`,
  };
}

/** The rights of the role that works are taken away and given again: an owner would lose its own. */
const sameRole = (name: ServiceName): Fault => ({
  fault: `the ${name} database has one role for both the daemon's work and the migrations`,
  hint:
    `make a second role without rights of its own for ${name.toUpperCase()}_DATABASE_URL, and keep ` +
    `the owner for ${name.toUpperCase()}_MIGRATION_DATABASE_URL`,
});

function roleOf(url: string): string {
  const parsed = parseDatabaseUrl(url);
  return parsed.ok ? (parsed.value.user ?? '') : '';
}

function explain(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  const cause = err.cause instanceof Error ? `: ${err.cause.message}` : '';
  return (err.message || ('code' in err ? String(err.code) : err.name)) + cause;
}
