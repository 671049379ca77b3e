import { vi } from 'vitest';

import type { AllServices } from '../../support/processes/all-services.ts';

type Services = Pick<AllServices, 'databases'>;
type Contents = Readonly<Record<string, string>>;

/**
 * What a refused request may leave behind: the record of the denial, the time of the last use of a
 * credential, and the counters of attempts. Leases are renewed all the time.
 */
const ignored = /^(audit_log|outbox|relay_leases|.*attempts.*|.*throttl.*)$/;
const ignoredColumns = /^last_used/;

const texts = new Map<string, string>();

/** One statement for all tables of a service. */
async function writeQuery(services: Services, service: string): Promise<string> {
  const known = texts.get(service);
  if (known !== undefined) return known;
  const database = services.databases[service as keyof Services['databases']];
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
    const row = `ROW(${of.join(', ')})::text`;
    return `SELECT '${table}' AS name, (SELECT count(*) || ' ' || coalesce(md5(string_agg(
      ${row}, '' ORDER BY ${row})), '') FROM "${table}") AS digest`;
  });
  const text = selects.join(' UNION ALL ');
  texts.set(service, text);
  return text;
}

/** A digest of each table of the services: what is the same has not been changed. */
export async function readContents(services: Services): Promise<Contents> {
  const digests: Record<string, string> = {};
  await Promise.all(
    Object.entries(services.databases).map(async ([service, database]) => {
      const text = await writeQuery(services, service);
      const rows = await database.query<{ name: string; digest: string }>(text);
      for (const { name, digest } of rows) digests[`${service}.${name}`] = digest;
    }),
  );
  return digests;
}

/** The same, once what is done in the background is done: exports, and lines of statements. */
export async function readSettledContents(services: Services): Promise<Contents> {
  const { wallet, statement } = services.databases;
  const count = async (database: typeof wallet, text: string): Promise<number> =>
    (await database.query<{ n: number }>(text))[0]?.n ?? 0;
  await vi.waitFor(
    async () => {
      const [made, lines, open] = await Promise.all([
        count(wallet, 'SELECT count(*)::int AS n FROM transactions'),
        count(statement, 'SELECT count(*)::int AS n FROM statement_lines'),
        count(statement, 'SELECT count(*)::int AS n FROM exports WHERE finished_at IS NULL'),
      ]);
      if (made !== lines || open > 0) throw new Error(`${made} ${lines} ${open}`);
    },
    { timeout: 20_000, interval: 20 },
  );
  return readContents(services);
}
