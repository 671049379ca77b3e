import { sql, type Tx } from './db.ts';

const durabilitySql = sql(
  'db_durability',
  `SELECT name, setting FROM pg_settings
   WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')`,
);

/**
 * Names the settings with which this server, or (`isFailoverMeant`) a failover, may lose commits.
 */
export async function findUnsafeSettings(tx: Tx, isFailoverMeant = false): Promise<string[]> {
  const rows = await tx.query<{ name: string; setting: string }>(durabilitySql);
  const safe = ['on', 'remote_write', 'remote_apply', ...(isFailoverMeant ? [] : ['local'])];
  return rows.flatMap(({ name, setting }) => (safe.includes(setting) ? [] : `${name}=${setting}`));
}

const immutableSql = sql(
  'db_immutable',
  `SELECT p.privilege
   FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS p(privilege)
   WHERE has_table_privilege($1::text::regclass, p.privilege)
   UNION ALL
   SELECT 'column UPDATE' WHERE has_any_column_privilege($1::text::regclass, 'UPDATE')
   UNION ALL
   SELECT 'its owner''s' FROM pg_class
   WHERE oid = $1::text::regclass AND pg_has_role(relowner, 'MEMBER')`,
);

/** The rights with which this role could change rows of a table that is only ever appended to. */
export async function findChangeRights(tx: Tx, table: string): Promise<string[]> {
  const rows = await tx.query<{ privilege: string }>(immutableSql, [table]);
  return rows.map((row) => row.privilege);
}

/** How many connections a server, a role and a database allow; -1: no limit. */
export type ConnectionLimits = {
  /** The same for all databases of one server that runs. */
  readonly server: string;
  readonly max: number;
  /** Of these, for superusers and the like only. */
  readonly reserved: number;
  readonly used: number;
  readonly roleLimit: number;
  readonly databaseLimit: number;
};

const limitsSql = sql(
  'db_connection_limits',
  `SELECT pg_postmaster_start_time()::text || ' ' || current_setting('port') AS server,
     current_setting('max_connections')::int AS max,
     current_setting('superuser_reserved_connections')::int
       + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved,
     (SELECT count(*)::int FROM pg_stat_activity WHERE datid IS NOT NULL) AS used,
     (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS "roleLimit",
     (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS "databaseLimit"`,
);

export async function readConnectionLimits(tx: Tx): Promise<ConnectionLimits> {
  const [row] = await tx.query<ConnectionLimits>(limitsSql);
  if (!row) throw new Error('the database gave no limits');
  return row;
}
