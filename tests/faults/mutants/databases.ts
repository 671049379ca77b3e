import { queryService, readUrls } from '../../support/ledger/ledger.ts';
import { withClient } from '../../support/postgres/client.ts';

const services = ['wallet', 'statement'] as const;

/** Statements by database that change its schema. */
export type SchemaChanges = Readonly<Partial<Record<(typeof services)[number], readonly string[]>>>;

const emptyOf = (service: string): string => `${service}_empty`;

/** Statements as the administrator of the server, each by itself. */
export async function runAsAdmin(dataDir: string, texts: readonly string[]): Promise<void> {
  const { admin } = await readUrls(dataDir);
  await withClient(admin('postgres'), async (client) => {
    for (const text of texts) await client.query(text);
  });
}

/** Keeps the databases of wallets and statements as they are now, before their first use. */
export const keepEmpty = (dataDir: string): Promise<void> =>
  runAsAdmin(
    dataDir,
    services.map((service) => `CREATE DATABASE ${emptyOf(service)} TEMPLATE ${service}`),
  );

/** Empties them again, and changes their schemas as a mutant needs it. No daemon may run. */
export async function resetDatabases(dataDir: string, schema: SchemaChanges): Promise<void> {
  await runAsAdmin(
    dataDir,
    services.flatMap((service) => [
      `DROP DATABASE IF EXISTS ${service} WITH (FORCE)`,
      `CREATE DATABASE ${service} OWNER ${service}_owner TEMPLATE ${emptyOf(service)}`,
      `REVOKE ALL ON DATABASE ${service} FROM PUBLIC`,
      `GRANT CONNECT ON DATABASE ${service} TO ${service}_owner, ${service}_app`,
    ]),
  );
  for (const service of services) {
    for (const text of schema[service] ?? []) await queryService(dataDir, service, text);
  }
}
