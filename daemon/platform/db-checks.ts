import { sql, type Tx } from './db.ts';

const durabilitySql = sql(
  'db_durability',
  `SELECT name, setting FROM pg_settings
   WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')`,
);

/** Names the settings with which this server, or (`isFailoverMeant`) a failover, may lose commits. */
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
