import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type pg from 'pg';

import type { Environment } from '../../../scripts/product.ts';
import { startPostgres, type PostgresServer } from '../postgres/server.ts';
import { queryUrl } from '../postgres/client.ts';

const services = ['auth', 'wallet', 'statement'] as const;

/** A Postgres with three databases, as docs/operations.md sets them up; nothing is migrated yet. */
export type OwnSite = {
  readonly folder: string;
  readonly server: PostgresServer;
  /** Settings of a daemon that works with it; `owners` are those that migrate. */
  readonly env: Environment;
  readonly owners: Environment;
  url(role: string, database: string): string;
  /** Runs a statement as the superuser, in one of its databases. */
  query<Row extends pg.QueryResultRow>(database: string, text: string): Promise<Row[]>;
  dispose(): Promise<void>;
};

export async function createOwnSite(
  settings: Readonly<Record<string, string>> = {},
): Promise<OwnSite> {
  const folder = mkdtempSync(join(tmpdir(), 'dw-site-'));
  chmodSync(folder, 0o755);
  const server = await startPostgres({ settings });
  const url = (role: string, database: string): string =>
    `postgres://${role}@127.0.0.1:${server.port}/${database}`;
  for (const name of services) {
    await server.query(`CREATE ROLE ${name}_owner LOGIN`);
    await server.query(`CREATE ROLE ${name}_app LOGIN`);
    await server.query(
      `CREATE DATABASE ${name} OWNER ${name}_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'`,
    );
  }
  const key = join(folder, 'signing-key.pem');
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const urls = (role: string, middle: string): Environment =>
    Object.fromEntries(
      services.map((name) => [
        `${name.toUpperCase()}_${middle}DATABASE_URL`,
        url(`${name}_${role}`, name),
      ]),
    );
  return {
    folder,
    server,
    url,
    env: {
      PATH: process.env['PATH'] ?? '',
      WALLETD_LISTEN: '127.0.0.1:0',
      WALLETD_METRICS_LISTEN: 'off',
      WALLETD_HTTP_LISTEN: 'off',
      AUTH_SIGNING_KEY_FILE: key,
      ...urls('app', ''),
    },
    owners: urls('owner', 'MIGRATION_'),
    query: <Row extends pg.QueryResultRow>(database: string, text: string) =>
      queryUrl<Row>(server.url({ database }), text),
    dispose: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
