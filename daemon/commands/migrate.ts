import type { Config } from '../config.ts';
import { openDatabases, prepareSchemas } from '../databases.ts';
import type { Fault } from '../fault.ts';
import type { Log } from '../platform/log.ts';

/** Brings the schemas of the hosted services up to date, and ends. */
export async function migrateAll(config: Config, log: Log): Promise<Fault | undefined> {
  const opened = await openDatabases(config, log, 'attach', () => undefined);
  if (!opened.ok) return opened.fault;
  try {
    return await prepareSchemas(opened.value, config.services, true, log);
  } finally {
    await opened.value.stop();
  }
}
