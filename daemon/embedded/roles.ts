import { type Client, escapeIdentifier, escapeLiteral } from 'pg';

import { withAdminClient, withClient, type AdminAccess } from './admin-client.ts';
import { serviceNames, type ServiceName } from '../config/settings.ts';
import { type Secrets } from './secrets.ts';
import { socketPort } from './socket-dir.ts';

/** Connection strings of one service: owner for migrations, runtime for everything else. */
export type EmbeddedDatabase = { readonly ownerUrl: string; readonly runtimeUrl: string };

const ownerOf = (service: ServiceName): string => `${service}_owner`;
const runtimeOf = (service: ServiceName): string => `${service}_app`;

/**
 * Creates missing roles and databases and sets passwords and privileges again, so that a start
 * repairs what an interrupted one left incomplete. Only the holder of the lock may call it.
 */
export async function ensureDatabases(access: AdminAccess, secrets: Secrets): Promise<void> {
  await withAdminClient(access, 'postgres', async (client) => {
    await client.query('BEGIN');
    for (const service of serviceNames) {
      const { owner, runtime } = secrets.passwords[service];
      await ensureRole(client, ownerOf(service), owner);
      await ensureRole(client, runtimeOf(service), runtime);
    }
    await client.query('REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC');
    await client.query('COMMIT');
    for (const service of serviceNames) await ensureDatabase(client, service);
  });
  for (const service of serviceNames) {
    await withAdminClient(access, service, async (client) => {
      await client.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
      const [owner, runtime] = [ownerOf(service), runtimeOf(service)].map(escapeIdentifier);
      await client.query(`GRANT CONNECT ON DATABASE ${service} TO ${owner}, ${runtime}`);
    });
  }
}

/** Rejects unless the last thing that `ensureDatabases` sets up works. */
export async function checkDatabases(access: AdminAccess, secrets: Secrets): Promise<void> {
  const login = {
    socketDir: access.socketDir,
    password: secrets.passwords.statement.runtime,
    user: runtimeOf('statement'),
    database: 'statement',
  };
  await withClient(login, (client) => client.query('SELECT 1'));
}

/** The connection strings; they work for root and for the user who runs walletd. */
export function describeDatabases(
  socketDir: string,
  secrets: Secrets,
): Readonly<Record<ServiceName, EmbeddedDatabase>> {
  const describe = (service: ServiceName): EmbeddedDatabase => {
    const { owner, runtime } = secrets.passwords[service];
    return {
      ownerUrl: formatUrl(ownerOf(service), owner, service, socketDir),
      runtimeUrl: formatUrl(runtimeOf(service), runtime, service, socketDir),
    };
  };
  return { auth: describe('auth'), wallet: describe('wallet'), statement: describe('statement') };
}

/** `host` as a parameter overrides the one in the authority, which a valid URL needs. */
function formatUrl(role: string, password: string, database: string, socketDir: string): string {
  const user = `${encodeURIComponent(role)}:${encodeURIComponent(password)}`;
  const host = encodeURIComponent(socketDir);
  return `postgres://${user}@localhost/${database}?host=${host}&port=${socketPort}&sslmode=disable`;
}

async function ensureRole(client: Client, role: string, password: string): Promise<void> {
  const found = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  const verb = found.rows.length === 0 ? 'CREATE' : 'ALTER';
  await client.query(
    `${verb} ROLE ${escapeIdentifier(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE ` +
      `NOREPLICATION NOBYPASSRLS PASSWORD ${escapeLiteral(password)}`,
  );
}

async function ensureDatabase(client: Client, service: ServiceName): Promise<void> {
  const database = escapeIdentifier(service);
  const owner = escapeIdentifier(ownerOf(service));
  const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [service]);
  if (found.rows.length === 0) {
    await client.query(
      `CREATE DATABASE ${database} OWNER ${owner} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'`,
    );
  }
  await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
}
