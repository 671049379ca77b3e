import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { quoteForShell } from '../../core/shell-word.ts';
import type { Config } from '../config/config.ts';
import { explainDbError, urlSetting } from './faults.ts';
import type { DatabaseUrls } from '../config/database-settings.ts';
import { serviceNames, type ServiceName } from '../config/settings.ts';
import { embeddedConnections } from './connection-limits.ts';
import { dataDirOf, findNoEmbedded, noHome } from './places.ts';
import { attachEmbedded, startEmbedded } from '../embedded/index.ts';
import type { Fault, Outcome } from '../fault.ts';
import { chooseAccount } from '../host/account.ts';
import { parseDatabaseUrl } from '../platform/db/connection/database-url.ts';
import { createDb, type Db, type DbOptions } from '../platform/db/db.ts';
import { untilAborted } from '../platform/concurrency/abort.ts';
import { findUnsafeSettings } from '../platform/db/checks.ts';
import type { Log } from '../platform/log.ts';
import { readMigrations } from '../platform/db/migrate/migration-files.ts';
import { checkSchema, migrate } from '../platform/db/migrate/migrate.ts';

export type Databases = {
  readonly urls: Readonly<Partial<Record<ServiceName, DatabaseUrls>>>;
  /** Where this daemon may keep a key of its own; undefined with databases of one's own. */
  readonly dataDir: string | undefined;
  stop(): Promise<void>;
};

/**
 * The databases to work with: those configured, or the embedded Postgres. `start` is for the
 * daemon, which owns the embedded server; the others for commands beside it, of which `use`
 * creates nothing. Rejects, with nothing left running, once the signal is aborted.
 */
export async function openDatabases(
  config: Config,
  log: Log,
  mode: 'start' | 'migrate' | 'use',
  signal: AbortSignal,
  onLost: (detail: string) => void = () => undefined,
): Promise<Outcome<Databases>> {
  if (config.databases) {
    const value = { urls: config.databases, dataDir: undefined, stop: () => Promise.resolve() };
    return { ok: true, value };
  }
  const folder = dataDirOf(config);
  if (folder === undefined) return { ok: false, fault: noHome(config.home.uid) };
  // Before the account, which may be created.
  const missing = mode === 'use' ? await findNoEmbedded(config) : undefined;
  if (missing) return { ok: false, fault: missing };
  const account = await chooseAccount(config);
  if (!account.ok) return account;
  const options = {
    ...{ dataDir: folder, log, signal },
    onUnexpectedExit: onLost,
    canCreate: mode !== 'use',
    extraSettings: { max_connections: String(embeddedConnections(config)) },
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
  signal?: AbortSignal,
): Promise<Fault | undefined> {
  for (const name of names) {
    const urls = databases.urls[name];
    if (!urls) continue;
    const folder = join(migrationsRoot(), name);
    const { url, ownerUrl } = urls;
    const recreateHint = describeRecreation(name, ownerUrl, databases.dataDir);
    const options = { ownerUrl, folder, runtimeRole: roleOf(url), recreateHint, signal, log };
    if (shouldMigrate && options.runtimeRole === '') return noRole(name);
    if (shouldMigrate && roleOf(ownerUrl) === options.runtimeRole) return sameRole(name);
    try {
      const checking = () => untilAborted(signal, checkSchema({ url, folder, recreateHint }));
      const outcome = await (shouldMigrate ? migrate(options) : checking());
      if (!outcome.ok)
        return { fault: `the ${name} database: ${outcome.fault}`, hint: outcome.hint };
    } catch (err) {
      signal?.throwIfAborted();
      log.debug({ err }, 'schema not prepared');
      return explainDbError(name, err, urlSetting(name, shouldMigrate && ownerUrl !== url));
    }
  }
  return undefined;
}

/** The newest migration that this program has for each of these services. */
export async function readSchemaVersions(
  names: readonly ServiceName[],
): Promise<Partial<Record<ServiceName, number>>> {
  const read = async (name: ServiceName) => {
    const migrations = await readMigrations(join(migrationsRoot(), name));
    return [name, migrations.length] as const;
  };
  return Object.fromEntries(await Promise.all(names.map(read)));
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
    pool.signal?.throwIfAborted();
    return { ok: false, fault: explainDbError(name, err) };
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

/** How to make a new database in place of one that this version cannot use. */
function describeRecreation(name: ServiceName, ownerUrl: string, dataDir?: string): string {
  if (dataDir !== undefined) {
    const words = [dataDir, `${dataDir}.old`].map(quoteForShell).join(' ');
    return `Stop walletd, run \`mv ${words}\`, then \`walletd start\``;
  }
  const parsed = parseDatabaseUrl(ownerUrl);
  const found = parsed.ok ? parsed.value : undefined;
  const database = quoteForShell(found?.database ?? name);
  const owner = quoteForShell(found?.user ?? `${name}_owner`);
  return (
    `Back up what you need, run \`dropdb ${database}\` and \`createdb --owner=${owner} ` +
    `--template=template0 --encoding=UTF8 --locale=C ${database}\` as a superuser, then ` +
    '`walletd migrate`'
  );
}

/** Migrations revoke the privileges of the runtime role first: an owner would lose its own. */
const sameRole = (name: ServiceName): Fault => ({
  fault: `the ${name} database has one role for both the daemon's work and the migrations`,
  hint:
    `make a second role without rights of its own for ${name.toUpperCase()}_DATABASE_URL, and keep ` +
    `the owner for ${name.toUpperCase()}_MIGRATION_DATABASE_URL`,
});

const noRole = (name: ServiceName): Fault => ({
  fault: `${urlSetting(name)}: names no role, and the migrations give the rights to one`,
  hint: 'write it as postgres://ROLE:PASSWORD@HOST/DATABASE',
});

function roleOf(url: string): string {
  const parsed = parseDatabaseUrl(url);
  return parsed.ok ? (parsed.value.user ?? '') : '';
}
