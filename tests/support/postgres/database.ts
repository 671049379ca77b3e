import { randomBytes } from 'node:crypto';

import type pg from 'pg';
import { inject } from 'vitest';

import { createDb, type Db } from '../../../daemon/platform/db/db.ts';
import { createLog } from '../../../daemon/platform/log.ts';
import { queryUrl, withClient } from './client.ts';

export type TestDatabase = {
  readonly db: Db;
  readonly url: string;
  readonly ownerUrl: string;
  readonly superUrl: string;
  /** Runs SQL as the superuser, past every right that the daemon lacks. */
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
};

/** A database of one's own: a copy of a service's migrated one, or (`isEmpty`) nothing yet. */
export async function createTestDatabase(
  service: 'auth' | 'wallet' | 'statement',
  { isEmpty = false } = {},
): Promise<TestDatabase> {
  const { adminUrl, passwords, socketDir } = inject('postgres');
  const name = `test_${service}_${randomBytes(6).toString('hex')}`;
  const template = isEmpty ? 'template0' : service;
  await withClient(adminUrl, (client) =>
    client.query(`CREATE DATABASE ${name} TEMPLATE ${template} OWNER ${service}_owner`),
  );
  const urlOf = (role: string, password: string) =>
    `postgres://${role}:${encodeURIComponent(password)}@localhost/${name}` +
    `?host=${encodeURIComponent(socketDir)}`;
  const url = urlOf(`${service}_app`, passwords[service]?.runtime ?? '');
  const ownerUrl = urlOf(`${service}_owner`, passwords[service]?.owner ?? '');
  const db = createDb({ url, name: service, maxConnections: 12, log: createLog('silent') });
  const superUrl = adminUrl.replace('/postgres?', `/${name}?`);
  return {
    db,
    url,
    ownerUrl,
    superUrl,
    query: <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
      queryUrl<Row>(superUrl, text, values),
    drop: async () => {
      await db.close();
      await withClient(adminUrl, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
    },
  };
}
