import type { AllServices } from '../../support/processes/all-services.ts';

/**
 * What a refused request may leave behind: the record of the denial, the time of the last use of a
 * credential, and the counters of attempts.
 */
const ignored = /^(audit_log|outbox|relay_leases|.*attempts.*|.*throttl.*)$/;
const ignoredColumns = /^last_used/;

/** A digest of each table of the services: what is the same has not been changed. */
export async function readContents({
  databases,
}: Pick<AllServices, 'databases'>): Promise<Readonly<Record<string, string>>> {
  const digests: Record<string, string> = {};
  for (const [service, database] of Object.entries(databases)) {
    const columns = await database.query<{ table_name: string; column_name: string }>(
      `SELECT table_name, column_name FROM information_schema.columns
       WHERE table_schema = 'public' ORDER BY table_name, column_name`,
    );
    const byTable = new Map<string, string[]>();
    for (const { table_name: table, column_name: column } of columns) {
      if (ignored.test(table) || ignoredColumns.test(column)) continue;
      byTable.set(table, [...(byTable.get(table) ?? []), `"${column}"`]);
    }
    const selects = [...byTable].map(([table, of]) => {
      const names = of.join(', ');
      return `SELECT '${table}' AS name, (SELECT count(*) || ' ' || coalesce(md5(string_agg(
        ROW(${names})::text, '' ORDER BY ROW(${names})::text)), '') FROM "${table}") AS digest`;
    });
    const rows = await database.query<{ name: string; digest: string }>(
      selects.join(' UNION ALL '),
    );
    for (const { name, digest } of rows) digests[`${service}.${name}`] = digest;
  }
  return digests;
}
