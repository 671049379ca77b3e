import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type pg from 'pg';

import { untilAborted } from './abort.ts';
import { connectAlone } from './db-connection/connect.ts';
import { migrationSettings, workSettings } from './db-connection/session.ts';
import { findStateFault } from './db-connection/state-faults.ts';
import { sqlStateOf } from './db.ts';
import type { Log } from './log.ts';
import { endBackend, endClient, readBackendPid } from './migrate/end-backend.ts';
import { applyGrants, createGrantsTable } from './migrate/grants.ts';

type Migration = {
  readonly version: number;
  readonly name: string;
  readonly text: string;
  readonly checksum: string;
  /** The oldest program, by its newest migration, that can work on a database with this one. */
  readonly minCompatibleVersion: number;
};

export type MigrateOptions = {
  readonly ownerUrl: string;
  /** A folder of `0001-name.sql` files and one `grants.sql`. */
  readonly folder: string;
  /** The role that the daemon works with; `grants.sql` gives it its rights. */
  readonly runtimeRole: string;
  /** Ends what is under way: it is rolled back, and `migrate` rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly log: Log;
};

export type MigrateOutcome =
  | { readonly ok: true; readonly applied: readonly string[] }
  | { readonly ok: false; readonly fault: string; readonly hint: string };

type AppliedRow = { version: number; name: string; checksum: string; min_compatible: number };

/** Any constant will do; it only must be the same in every release. */
const advisoryLockKey = 7_305_413_001;
/** SQLSTATEs. */
const undefinedTable = '42P01';
const undefinedColumn = '42703';
const insufficientPrivilege = '42501';

/**
 * Brings one database to this program's schema: numbered SQL, each in a transaction, behind an
 * advisory lock on a connection of its own, so that any number of starts at once do it once.
 * Refused: a changed file that was applied already, and a schema that no longer takes this program.
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

/** With a connection of its own. */
async function applyAll(
  client: pg.Client,
  migrations: readonly Migration[],
  grants: string,
  { runtimeRole, log }: MigrateOptions,
): Promise<MigrateOutcome> {
  await client.query('SELECT pg_advisory_lock($1)', [advisoryLockKey]);
  const applied = await readApplied(client);
  const fault = findSchemaFault(migrations, applied);
  if (fault) return { ok: false, ...fault };
  const names: string[] = [];
  for (const migration of migrations.filter((m) => !applied.some((a) => a.version === m.version))) {
    await applyMigration(client, migration);
    log.info({ migration: migration.name }, 'migration applied');
    names.push(migration.name);
  }
  if (migrations.length >= applied.length) {
    await createGrantsTable(client);
    const given = { text: grants, role: runtimeRole, version: migrations.length };
    if (await applyGrants(client, given)) log.info({ role: runtimeRole }, 'rights were given');
  }
  return { ok: true, applied: names };
}

/** The same checks without changing anything, for a daemon that may not migrate. */
export async function checkSchema(options: {
  readonly url: string;
  readonly folder: string;
}): Promise<MigrateOutcome> {
  const migrations = await readMigrations(options.folder);
  const { url } = options;
  const client = await connectAlone({ url, name: 'schema', settings: workSettings });
  try {
    const read = await readSchema(client);
    if (!read.ok) return read;
    const { applied } = read;
    const fault = findSchemaFault(migrations, applied);
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

/** What was applied; nothing where no migration ever was. Rejects for what says nothing of the schema. */
async function readSchema(
  client: pg.Client,
): Promise<
  | { readonly ok: true; readonly applied: readonly AppliedRow[] }
  | { readonly ok: false; readonly fault: string; readonly hint: string }
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

/** Pure: why this program must not touch a database with these rows, or undefined. */
function findSchemaFault(
  migrations: readonly Migration[],
  applied: readonly AppliedRow[],
): { fault: string; hint: string } | undefined {
  const newest = Math.max(0, ...migrations.map((m) => m.version));
  const required = Math.max(0, ...applied.map((row) => row.min_compatible));
  if (required > newest) {
    return {
      fault: `the schema needs a program that knows migration ${required}; this one ends at ${newest}`,
      hint: 'install the newer release again, or restore a backup from before the upgrade',
    };
  }
  for (const row of applied) {
    const migration = migrations.find((m) => m.version === row.version);
    if (migration && migration.checksum !== row.checksum) {
      return {
        fault: `migration ${row.name} was changed after it had been applied`,
        hint: 'restore the file as it was released; put changes into a new migration',
      };
    }
  }
  return undefined;
}

async function readMigrations(folder: string): Promise<Migration[]> {
  const files = (await readdir(folder))
    .filter((file) => /^\d{4}-[a-z0-9-]+\.sql$/.test(file))
    .sort();
  return Promise.all(
    files.map(async (file, index) => {
      const text = (await readFile(join(folder, file), 'utf8')).replaceAll('\r\n', '\n');
      const version = Number(file.slice(0, 4));
      if (version !== index + 1) throw new Error(`${folder}: ${file} leaves a gap in the numbers`);
      const header = /^-- min-compatible: (\d+)$/m.exec(text);
      if (!header) throw new Error(`${folder}/${file} has no line "-- min-compatible: N"`);
      return {
        version,
        name: file.slice(0, -4),
        text,
        checksum: createHash('sha256').update(text).digest('hex'),
        minCompatibleVersion: Number(header[1]),
      };
    }),
  );
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
      'INSERT INTO schema_migrations (version, name, checksum, min_compatible) VALUES ($1, $2, $3, $4)',
      [migration.version, migration.name, migration.checksum, migration.minCompatibleVersion],
    );
    await client.query('COMMIT');
  } catch (cause) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw new Error(`migration ${migration.name} failed`, { cause });
  }
}
