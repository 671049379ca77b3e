import { openDatabases, prepareSchemas } from '../databases/databases.ts';
import type { Fault } from '../fault.ts';
import type { HostRun } from './host-run.ts';

/** Brings the schemas of the hosted services up to date, and ends. */
export async function migrateAll({ config, log, signal }: HostRun): Promise<Fault | undefined> {
  const opened = await openDatabases(config, log, 'attach', signal);
  if (!opened.ok) return opened.fault;
  try {
    return await prepareSchemas(opened.value, config.services, true, log, signal);
  } finally {
    await opened.value.stop();
  }
}
