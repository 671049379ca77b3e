import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type pg from 'pg';

import { untilAborted } from '../../concurrency/abort.ts';
import { connectAlone } from '../connection/connect.ts';
import { migrationSettings, workSettings } from '../connection/session.ts';
import { findStateFault } from '../connection/state-faults.ts';
import { sqlStateOf } from '../db.ts';
import type { Log } from '../../log.ts';
import { endBackend, endClient, readBackendPid } from './end-backend.ts';
import { applyGrants, createGrantsTable } from './grants.ts';
import { readMigrations, type Migration } from './migration-files.ts';
import { findSchemaFault, type AppliedRow, type SchemaFault } from './schema-fault.ts';

export type MigrateOptions = {
  readonly ownerUrl: string;
  /** A folder of `0001-name.sql` files and one `grants.sql`. */
  readonly folder: string;
  /** The role that the daemon works with; `grants.sql` grants its privileges. */
  readonly runtimeRole: string;
  /** How to make a new database: for one that an earlier development version created. */
  readonly recreateHint?: string;
  /** Cancels the migration: it is rolled back, and `migrate` rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly log: Log;
};

export type MigrateOutcome =
  | { readonly ok: true; readonly applied: readonly string[] }
  | ({ readonly ok: false } & SchemaFault);

const defaultRecreateHint = 'create an empty database and run `walletd migrate`';
/** Any constant works; it must be the same in every release. */
const advisoryLockKey = 7_305_413_001;
/** SQLSTATEs. */
const undefinedTable = '42P01';
const undefinedColumn = '42703';
const insufficientPrivilege = '42501';

/**
 * Migrates one database to this program's schema: numbered SQL, each in a transaction, under an
 * advisory lock on a connection of its own, so that concurrent starts apply each migration once.
 * Fails for an applied file that was changed, for a schema that requires a newer program, and for a
 * database of an earlier development version.
 */
export async function migrate(options: MigrateOptions): Promise<MigrateOutcome> {
  const migrations = await readMigrations(options.folder);
  const grants = await readFile(join(options.folder, 'grants.sql'), 'utf8');
  const { ownerUrl: url, signal, log } = options;
  const connecting = connectAlone({ url, name: 'migrate', settings: migrationSettings });
  const client = await untilAborted(signal, connecting, (late) => void endClient(late));
  client.on('error', (err) => {
    if (!signal?.aborted) log.warn({ err }, 'migration connection lost');
  });
  let pid = 0;
  try {
    pid = await untilAborted(signal, readBackendPid(client));
    return await untilAborted(signal, applyAll(client, migrations, grants, options));
  } catch (err) {
    if (signal?.aborted && pid !== 0) await endBackend(url, pid);
    throw err;
  } finally {
    await endClient(client);
  }
}

async function applyAll(
  client: pg.Client,
  migrations: readonly Migration[],
  grants: string,
  { runtimeRole, recreateHint = defaultRecreateHint, log }: MigrateOptions,
): Promise<MigrateOutcome> {
  await client.query('SELECT pg_advisory_lock($1)', [advisoryLockKey]);
  const applied = await readApplied(client);
  const fault = findSchemaFault(migrations, applied, recreateHint);
  if (fault) return { ok: false, ...fault };
  const names: string[] = [];
  for (const migration of migrations.filter((m) => !applied.some((a) => a.version === m.version))) {
    await applyMigration(client, migration);
    log.info({ migration: migration.name }, 'migration applied');
    names.push(migration.name);
  }
  if (migrations.length >= applied.length) {
    await createGrantsTable(client);
    const granted = { text: grants, role: runtimeRole, version: migrations.length };
    if (await applyGrants(client, granted)) log.info({ role: runtimeRole }, 'privileges granted');
  }
  return { ok: true, applied: names };
}

/** The same checks without changing anything, for a daemon that may not migrate. */
export async function checkSchema(options: {
  readonly url: string;
  readonly folder: string;
  readonly recreateHint?: string;
}): Promise<MigrateOutcome> {
  const migrations = await readMigrations(options.folder);
  const { url, recreateHint = defaultRecreateHint } = options;
  const client = await connectAlone({ url, name: 'schema', settings: workSettings });
  try {
    const read = await readSchema(client);
    if (!read.ok) return read;
    const { applied } = read;
    const fault = findSchemaFault(migrations, applied, recreateHint);
    if (fault) return { ok: false, ...fault };
    const missing = migrations.filter((m) => !applied.some((a) => a.version === m.version));
    if (missing.length === 0) return { ok: true, applied: [] };
    return {
      ok: false,
      fault: `the schema lacks ${missing.map((m) => m.name).join(', ')}`,
      hint: 'run `walletd migrate` with the owner role, or start with WALLETD_MIGRATE=on',
    };
  } finally {
    await client.end();
  }
}

/** The applied migrations; none without the table. Rejects for errors other than the schema's. */
async function readSchema(
  client: pg.Client,
): Promise<
  | { readonly ok: true; readonly applied: readonly AppliedRow[] }
  | ({ readonly ok: false } & SchemaFault)
> {
  try {
    return { ok: true, applied: await readRows(client) };
  } catch (err) {
    const state = sqlStateOf(err);
    if (state === undefinedTable) return { ok: true, applied: [] };
    if (state !== insufficientPrivilege && state !== undefinedColumn) throw err;
    const known = findStateFault(err);
    return {
      ok: false,
      fault: `schema_migrations cannot be read: ${known?.fault ?? ''}`,
      hint: known?.hint ?? '',
    };
  }
}

async function readApplied(client: pg.Client): Promise<AppliedRow[]> {
  await client.query(
    `CREATE TABLE IF NOT EXISTS schema_migrations (
       version integer PRIMARY KEY,
       name text NOT NULL,
       checksum text NOT NULL,
       min_compatible integer NOT NULL,
       applied_at timestamptz NOT NULL DEFAULT now())`,
  );
  return readRows(client);
}

async function readRows(client: pg.Client): Promise<AppliedRow[]> {
  const result = await client.query<AppliedRow>(
    'SELECT version, name, checksum, min_compatible FROM schema_migrations ORDER BY version',
  );
  return result.rows;
}

async function applyMigration(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.text);
    await client.query(
      `INSERT INTO schema_migrations (version, name, checksum, min_compatible)
       VALUES ($1, $2, $3, $4)`,
      [migration.version, migration.name, migration.checksum, migration.minCompatibleVersion],
    );
    await client.query('COMMIT');
  } catch (cause) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw new Error(`migration ${migration.name} failed`, { cause });
  }
}
