import { createHash } from 'node:crypto';

import type pg from 'pg';

/** The privileges that the owner grants to the role that the daemon works with. */
export type Grants = {
  /** SQL, with `{{runtime_role}}` in place of the role. */
  readonly text: string;
  readonly role: string;
  /** The newest migration that was applied. */
  readonly version: number;
};

/** Records for each role which privileges it was granted, and for which schema. */
export async function createGrantsTable(client: pg.Client): Promise<void> {
  await client.query(
    `CREATE TABLE IF NOT EXISTS schema_grants (
       role text PRIMARY KEY,
       version integer NOT NULL,
       checksum text NOT NULL,
       granted_at timestamptz NOT NULL DEFAULT now())`,
  );
}

/**
 * Grants the role its privileges, unless it has just these for this schema: a start that migrates
 * nothing takes no lock on a table. True if privileges were granted.
 */
export async function applyGrants(client: pg.Client, grants: Grants): Promise<boolean> {
  const { role, version } = grants;
  const checksum = createHash('sha256').update(grants.text).digest('hex');
  if (await hasGrants(client, grants, checksum)) return false;
  const text = grants.text.replaceAll('{{runtime_role}}', client.escapeIdentifier(role));
  await client.query('BEGIN');
  try {
    await client.query(text);
    await client.query(
      `INSERT INTO schema_grants (role, version, checksum) VALUES ($1, $2, $3)
       ON CONFLICT (role) DO UPDATE SET version = $2, checksum = $3, granted_at = now()`,
      [role, version, checksum],
    );
    await client.query('COMMIT');
  } catch (cause) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw new Error(`cannot grant the privileges of the role ${role}`, { cause });
  }
  return true;
}

/** False also for a role that was recreated, and after a restore without privileges. */
async function hasGrants(
  client: pg.Client,
  { role, version }: Grants,
  checksum: string,
): Promise<boolean> {
  const { rows } = await client.query<{ has: boolean }>(
    `SELECT has_table_privilege($1, 'schema_migrations', 'SELECT') AS has FROM schema_grants
     WHERE role = $1 AND version = $2 AND checksum = $3`,
    [role, version, checksum],
  );
  return rows[0]?.has === true;
}
