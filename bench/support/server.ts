import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import pg from 'pg';

import { startEmbedded } from '../../daemon/embedded/index.ts';
import { createLog } from '../../daemon/platform/log.ts';

const services = ['auth', 'wallet', 'statement'] as const;
export type Service = (typeof services)[number];

/** The three databases of one daemon, and how it gets at them. */
export type DatabaseSet = {
  readonly nameOf: (service: Service) => string;
  /** `AUTH_DATABASE_URL` and so on, for owner and runtime roles. */
  readonly env: Readonly<Record<string, string>>;
};

/** One connection, as the superuser; int8 as bigint. */
type BenchConnection = {
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
};

export type BenchServer = {
  readonly folder: string;
  /** Of the postmaster, whose children serve. */
  readonly pid: number;
  /** Flags of Node for each daemon: a CPU profile, if one was asked for. */
  readonly daemonFlags: readonly string[];
  /** What psql and pgbench need to get in as the superuser. */
  readonly toolEnv: Readonly<Record<string, string>>;
  /** What the server says of itself: version, and the settings that matter for a measurement. */
  readonly settings: Readonly<Record<string, string>>;
  createDatabases(name: string): Promise<DatabaseSet>;
  /** As the superuser, on a connection of its own; int8 as bigint. */
  query<Row extends pg.QueryResultRow>(
    database: string,
    text: string,
    values?: unknown[],
  ): Promise<Row[]>;
  /** For what is asked often while something is measured: a new connection costs more. */
  connect(database: string): Promise<BenchConnection>;
  stop(): Promise<void>;
};

type Secrets = {
  socketDir: string;
  adminPassword: string;
  passwords: Record<Service, { owner: string; runtime: string }>;
};

const shown = [
  'server_version',
  'fsync',
  'full_page_writes',
  'synchronous_commit',
  'shared_buffers',
  'max_wal_size',
  'wal_compression',
  'max_connections',
];

/**
 * One Postgres 18 for a whole run, with the settings that `walletd` gives its own. The product and
 * every baseline use this one.
 */
export async function startServer(profileFolder?: string): Promise<BenchServer> {
  const folder = await mkdtemp(join(tmpdir(), 'dw-bench-'));
  // The server runs as another user where the benchmarks run as root.
  await chmod(folder, 0o711);
  const dataDir = join(folder, 'data');
  const extraSettings = { max_connections: '200' };
  const started = await startEmbedded({ dataDir, log: createLog('warn'), extraSettings });
  if (!started.ok) throw new Error(`${started.fault.fault} ${started.fault.hint}`);
  const secrets = JSON.parse(await readFile(join(dataDir, 'embedded.json'), 'utf8')) as Secrets;
  const connect = (database: string) => connectTo(secrets, database);
  const query = createQuery(connect);
  const rows = await query<{ name: string; setting: string }>(
    'postgres',
    `SELECT name, current_setting(name) AS setting FROM pg_settings WHERE name = ANY($1)`,
    [shown],
  );
  const [pid = ''] = (await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split(
    '\n',
  );
  return {
    folder,
    pid: Number(pid),
    daemonFlags:
      profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`],
    toolEnv: {
      PATH: process.env['PATH'] ?? '',
      PGHOST: secrets.socketDir,
      PGUSER: 'walletd_admin',
      PGPASSWORD: secrets.adminPassword,
    },
    settings: Object.fromEntries(rows.map((row) => [row.name, row.setting])),
    createDatabases: (name) => createDatabases(name, secrets, query),
    query,
    connect,
    stop: async () => {
      await started.value.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function urlOf(secrets: Secrets, role: string, password: string, database: string): string {
  const host = encodeURIComponent(secrets.socketDir);
  return `postgres://${role}:${encodeURIComponent(password)}@localhost/${database}?host=${host}`;
}

async function connectTo(secrets: Secrets, database: string): Promise<BenchConnection> {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.INT8, (int8: string) => BigInt(int8));
  types.setTypeParser(pg.types.builtins.NUMERIC, (numeric: string) => BigInt(numeric));
  const connectionString = urlOf(secrets, 'walletd_admin', secrets.adminPassword, database);
  const client = new pg.Client({ connectionString, types });
  client.on('error', () => undefined);
  await client.connect();
  return {
    query: async (text, values = []) => (await client.query(text, values)).rows as never,
    close: () => client.end(),
  };
}

function createQuery(connect: BenchServer['connect']): BenchServer['query'] {
  return async (database, text, values = []) => {
    const connection = await connect(database);
    try {
      return await connection.query(text, values);
    } finally {
      await connection.close();
    }
  };
}

/** As docs/operations.md says for a Postgres of one's own; the roles are there already. */
async function createDatabases(
  name: string,
  secrets: Secrets,
  query: BenchServer['query'],
): Promise<DatabaseSet> {
  const nameOf = (service: Service): string => `${service}_${name.replaceAll('-', '_')}`;
  const env: Record<string, string> = {};
  for (const service of services) {
    const database = nameOf(service);
    const { owner, runtime } = secrets.passwords[service];
    await query(
      'postgres',
      `CREATE DATABASE ${database} OWNER ${service}_owner TEMPLATE template0
       ENCODING 'UTF8' LOCALE 'C'`,
    );
    await query(database, 'REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    const prefix = service.toUpperCase();
    env[`${prefix}_DATABASE_URL`] = urlOf(secrets, `${service}_app`, runtime, database);
    env[`${prefix}_MIGRATION_DATABASE_URL`] = urlOf(secrets, `${service}_owner`, owner, database);
  }
  return { nameOf, env };
}
