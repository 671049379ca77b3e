import { Client } from 'pg';

import { socketPort } from './socket-dir.ts';

/** How to reach the server as its superuser. */
export type AdminAccess = { readonly socketDir: string; readonly password: string };

export const adminRole = 'walletd_admin';

const defaultQueryTimeoutMs = 30_000;

/** Runs `work` on a connection of its own, closed in every case. Rejects with pg's errors. */
export async function withAdminClient<T>(
  access: AdminAccess,
  database: string,
  work: (client: Client) => Promise<T>,
  queryTimeoutMs: number = defaultQueryTimeoutMs,
): Promise<T> {
  return await withClient({ ...access, user: adminRole, database }, work, queryTimeoutMs);
}

/** Runs `work` with a connection of this role to this database. */
export async function withClient<T>(
  login: AdminAccess & { readonly user: string; readonly database: string },
  work: (client: Client) => Promise<T>,
  queryTimeoutMs: number = defaultQueryTimeoutMs,
): Promise<T> {
  const client = new Client({
    host: login.socketDir,
    port: socketPort,
    user: login.user,
    password: login.password,
    database: login.database,
    ssl: false,
    application_name: 'walletd-embedded',
    connectionTimeoutMillis: 3_000,
    query_timeout: queryTimeoutMs,
  });
  // A server that dies between two queries must not end this process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    // A frozen server never answers the goodbye, and nothing is gained by waiting for it.
    await Promise.race([client.end().catch(() => undefined), delayUnref(1_000)]);
  }
}

function delayUnref(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs).unref();
  });
}
